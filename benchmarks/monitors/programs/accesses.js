// Offsets in bytes of the accesses of TypeScript files, a line of JSON each: `node accesses.js FILES` (typescript 5).
const ts = require("typescript"), fs = require("fs");
for (const path of process.argv.slice(2)) {
  const text = fs.readFileSync(path, "utf8");
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found = [];
  const visit = (node) => {
    if (ts.isPropertyAccessExpression(node) || ts.isQualifiedName(node))
      for (const child of node.getChildren(file))
        if (child.kind === ts.SyntaxKind.DotToken || child.kind === ts.SyntaxKind.QuestionDotToken)
          found.push(Buffer.byteLength(text.slice(0, child.end - 1)));
    ts.forEachChild(node, visit);
  };
  visit(file);
  console.log(JSON.stringify({ path, accesses: found.sort((a, b) => a - b) }));
}
