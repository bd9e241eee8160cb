"""From the tokenizer libraries' objects to token bytes, one module per way of storing them.

    table       TokenTable: what each of the others returns
    pipeline    `tokenizers.Tokenizer` (every fast transformers tokenizer), read from its own decoder description
    pieces      sentencepiece processors and the transformers tokenizers built on them
    ranks       tiktoken encodings

None imports the library it reads: the objects arrive from the caller and are recognised by what they can do.
"""
