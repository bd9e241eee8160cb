// A language server that knows members, over the compiler of a JDK (com.sun.source): `java MemberServer.java ROOT`.
//
// What it speaks of the Language Server Protocol: initialize, whole texts of documents, completion behind an access and
// behind `case`, shutdown. A document is parsed and attributed with a name of our own in the place that is asked about;
// the members of the expression before it are those that the compiler lets that place see, the constants those of the
// enum that is switched on. Cost: one attribution a question, some milliseconds once warm. Source: Language Server Protocol 3.17; JEP 199 (com.sun.source).

import com.sun.source.tree.*;
import com.sun.source.util.*;
import java.io.*;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.*;
import java.util.stream.Stream;
import javax.lang.model.element.*;
import javax.lang.model.type.*;
import javax.tools.*;

public class MemberServer {
    static final String HERE = "nameThatIsAskedFor";
    static final int MOST_FILES = 5_000;
    static final Map<String, String> documents = new HashMap<>();
    static final JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    static StandardJavaFileManager files;
    static final List<String> options = new ArrayList<>(List.of("-proc:none", "--should-stop=ifError=FLOW", "-Xlint:none"));

    public static void main(String[] arguments) throws IOException {
        if (compiler == null) throw new IllegalStateException("this Java has no compiler: a JDK is needed");
        files = compiler.getStandardFileManager(null, null, StandardCharsets.UTF_8);
        List<String> sources = new ArrayList<>();
        for (String folder : List.of("src/main/java", "src", ".")) {
            Path path = Path.of(arguments[0]).resolve(folder);
            if (Files.isDirectory(path)) sources.add(path.toString());
        }
        options.addAll(List.of("-sourcepath", String.join(File.pathSeparator, sources), "-implicit:none"));
        compileAll(Path.of(arguments[0]));
        DataInputStream in = new DataInputStream(new BufferedInputStream(System.in));
        for (String body; (body = read(in)) != null; ) {
            Object message = new Json(body).value();
            if (!answer(message)) return;
        }
    }

    // Classes that stand in files of other names are not found by their sources: what compiles is put on the class path.
    static void compileAll(Path root) throws IOException {
        Path classes = Files.createTempDirectory("members");
        List<Path> sources;
        try (Stream<Path> all = Files.walk(root)) {
            sources = all.filter(path -> path.toString().endsWith(".java")).limit(MOST_FILES).toList();
        }
        List<String> given = new ArrayList<>(options);
        given.addAll(List.of("-d", classes.toString()));
        if (!sources.isEmpty()) compiler.getTask(Writer.nullWriter(), files, problem -> {}, given, null, files.getJavaFileObjectsFromPaths(sources)).call();
        options.addAll(List.of("-classpath", classes.toString()));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> remove(classes)));
    }

    static void remove(Path folder) {
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) Files.delete(path);
        } catch (IOException problem) {
            System.err.println(problem);
        }
    }

    // ------------------------------------------------------------------------------------------------------ protocol

    static String read(DataInputStream in) throws IOException {
        int size = -1;
        for (String line; ; ) {
            line = line(in);
            if (line == null) return null;
            if (line.isEmpty()) break;
            if (line.toLowerCase(Locale.ROOT).startsWith("content-length:")) size = Integer.parseInt(line.substring(15).trim());
        }
        if (size < 0) throw new IOException("a message without its length");
        byte[] body = new byte[size];
        in.readFully(body);
        return new String(body, StandardCharsets.UTF_8);
    }

    static String line(InputStream in) throws IOException {
        StringBuilder found = new StringBuilder();
        for (int each; (each = in.read()) != '\n'; ) {
            if (each < 0) return null;
            if (each != '\r') found.append((char) each);
        }
        return found.toString();
    }

    static void send(Object id, String result) {
        String number = id instanceof String ? '"' + (String) id + '"' : String.valueOf(((Number) id).longValue());
        byte[] body = ("{\"jsonrpc\":\"2.0\",\"id\":" + number + ",\"result\":" + result + "}").getBytes(StandardCharsets.UTF_8);
        System.out.print("Content-Length: " + body.length + "\r\n\r\n");
        System.out.write(body, 0, body.length);
        System.out.flush();
    }

    static boolean answer(Object message) {
        String method = String.valueOf(at(message, "method"));
        Object id = at(message, "id"), params = at(message, "params");
        String uri = String.valueOf(at(params, "textDocument", "uri"));
        switch (method) {
            case "initialize" -> send(id, "{\"capabilities\":{\"positionEncoding\":\"utf-16\"},\"serverInfo\":{\"name\":\"javac\","
                + "\"version\":\"" + Runtime.version().feature() + "\"}}");
            case "textDocument/didOpen" -> documents.put(uri, (String) at(params, "textDocument", "text"));
            case "textDocument/didChange" -> {
                List<?> changes = (List<?>) at(params, "contentChanges");
                documents.put(uri, (String) at(changes.get(changes.size() - 1), "text"));
            }
            case "textDocument/didClose" -> documents.remove(uri);
            case "textDocument/completion" -> {
                int line = ((Number) at(params, "position", "line")).intValue();
                int column = ((Number) at(params, "position", "character")).intValue();
                send(id, items(members(uri, documents.get(uri), line, column)));
            }
            case "exit" -> { return false; }
            default -> { if (id != null) send(id, "null"); }
        }
        return true;
    }

    static Object at(Object value, String... path) {
        for (String name : path) value = value instanceof Map<?, ?> map ? map.get(name) : null;
        return value;
    }

    static String items(Set<String> names) {
        StringJoiner found = new StringJoiner(",", "[", "]");
        for (String name : names) found.add("{\"kind\":5,\"label\":\"" + name + "\"}");
        return found.toString();
    }

    // ------------------------------------------------------------------------------------------------------- members

    static Set<String> members(String uri, String text, int line, int column) {
        int at = 0;
        for (int number = 0; number < line; number++) {
            int feed = text.indexOf('\n', at), carriage = text.indexOf('\r', at);
            boolean lone = carriage >= 0 && (feed < 0 || carriage < feed - 1);
            at = (lone ? carriage : feed) + 1;
        }
        String before = text.substring(0, at + column);
        boolean isCase = before.stripTrailing().endsWith("case");
        String asked = before + HERE + (isCase ? (before.lastIndexOf("->") > before.lastIndexOf("switch") ? " -> {}" : ":") : "")
            + text.substring(at + column);
        JavaFileObject file = new SimpleJavaFileObject(URI.create(uri.replaceFirst("_ahead_\\d+", "")), JavaFileObject.Kind.SOURCE) {
            @Override public CharSequence getCharContent(boolean ignore) { return asked; }
        };
        JavacTask task = (JavacTask) compiler.getTask(Writer.nullWriter(), files, problem -> {}, options, null, List.of(file));
        Set<String> found = new TreeSet<>();
        try {
            Iterable<? extends CompilationUnitTree> units = task.parse();
            task.analyze();
            for (CompilationUnitTree unit : units) new Finder(task, found).scan(unit, null);
        } catch (IOException | RuntimeException | AssertionError problem) {  // the compiler gives up on some broken texts
            System.err.println(problem);
        }
        return found;
    }

    static class Finder extends TreePathScanner<Void, Void> {
        final JavacTask task;
        final Trees trees;
        final Set<String> found;

        Finder(JavacTask task, Set<String> found) {
            this.task = task;
            this.trees = Trees.instance(task);
            this.found = found;
        }

        @Override public Void visitErroneous(ErroneousTree tree, Void nothing) {
            return scan(tree.getErrorTrees(), nothing);
        }

        @Override public Void visitMemberSelect(MemberSelectTree tree, Void nothing) {
            if (tree.getIdentifier().contentEquals(HERE)) add(tree.getExpression(), false);
            return super.visitMemberSelect(tree, nothing);
        }

        @Override public Void visitCase(CaseTree tree, Void nothing) {
            for (ExpressionTree each : tree.getExpressions()) {
                if (each instanceof IdentifierTree name && name.getName().contentEquals(HERE)) addConstants(getCurrentPath().getParentPath());
            }
            return super.visitCase(tree, nothing);
        }

        void addConstants(TreePath path) {
            ExpressionTree on = path.getLeaf() instanceof SwitchTree tree ? tree.getExpression()
                : path.getLeaf() instanceof SwitchExpressionTree tree ? tree.getExpression() : null;
            TypeMirror type = on == null ? null : trees.getTypeMirror(new TreePath(path, on));
            if (!(type instanceof DeclaredType declared) || declared.asElement().getKind() != ElementKind.ENUM) return;
            for (Element each : declared.asElement().getEnclosedElements()) {
                if (each.getKind() == ElementKind.ENUM_CONSTANT) found.add(each.getSimpleName().toString());
            }
            if (Runtime.version().feature() > 20) found.add(declared.asElement().getSimpleName().toString());  // qualified
        }

        @Override public Void visitMemberReference(MemberReferenceTree tree, Void nothing) {
            if (tree.getName().contentEquals(HERE)) add(tree.getQualifierExpression(), true);
            return super.visitMemberReference(tree, nothing);
        }

        void add(ExpressionTree expression, boolean isReference) {
            TreePath path = new TreePath(getCurrentPath(), expression);
            Element element = trees.getElement(path);
            boolean isType = !isReference && element instanceof TypeElement;
            add(trees.getTypeMirror(path), isType, isReference, trees.getScope(getCurrentPath()));
        }

        void add(TypeMirror type, boolean isType, boolean methods, Scope scope) {
            if (type instanceof TypeVariable variable) add(variable.getUpperBound(), isType, methods, scope);
            else if (type instanceof IntersectionType both) for (TypeMirror each : both.getBounds()) add(each, isType, methods, scope);
            else if (type instanceof ArrayType) {
                if (!isType) found.addAll(List.of("length", "clone"));
                TypeElement object = task.getElements().getTypeElement("java.lang.Object");
                if (!isType) add(object.asType(), false, methods, scope);
            } else if (type instanceof DeclaredType declared && type.getKind() == TypeKind.DECLARED) {
                for (Element member : task.getElements().getAllMembers((TypeElement) declared.asElement())) {
                    ElementKind kind = member.getKind();
                    boolean isNested = kind.isClass() || kind.isInterface();
                    if (kind == ElementKind.CONSTRUCTOR || kind == ElementKind.STATIC_INIT || kind == ElementKind.INSTANCE_INIT) continue;
                    if (methods && kind != ElementKind.METHOD) continue;
                    if (isNested && !isType) continue;
                    if (isType && !isNested && !member.getModifiers().contains(Modifier.STATIC)) continue;
                    if (trees.isAccessible(scope, member, declared)) found.add(member.getSimpleName().toString());
                }
            }
        }
    }

    // ---------------------------------------------------------------------------------------------------------- JSON

    static class Json {  // RFC 8259, of messages that are well-formed
        final String text;
        int at;

        Json(String text) { this.text = text; }

        char next() {
            while (Character.isWhitespace(text.charAt(at))) at++;
            return text.charAt(at);
        }

        Object value() {
            switch (next()) {
                case '{': {
                    Map<String, Object> found = new HashMap<>();
                    for (at++; next() != '}'; ) {
                        String name = string();
                        next();
                        at++;
                        found.put(name, value());
                        if (next() == ',') at++;
                    }
                    at++;
                    return found;
                }
                case '[': {
                    List<Object> found = new ArrayList<>();
                    for (at++; next() != ']'; ) {
                        found.add(value());
                        if (next() == ',') at++;
                    }
                    at++;
                    return found;
                }
                case '"': return string();
                default: {
                    int start = at;
                    while (at < text.length() && ",]} \t\r\n".indexOf(text.charAt(at)) < 0) at++;
                    String word = text.substring(start, at);
                    return switch (word) { case "true" -> true; case "false" -> false; case "null" -> null; default -> Double.valueOf(word); };
                }
            }
        }

        String string() {
            next();
            StringBuilder found = new StringBuilder();
            for (at++; text.charAt(at) != '"'; at++) {
                char each = text.charAt(at);
                if (each != '\\') { found.append(each); continue; }
                each = text.charAt(++at);
                if (each == 'u') {
                    found.append((char) Integer.parseInt(text.substring(at + 1, at + 5), 16));
                    at += 4;
                } else {
                    int known = "bfnrt".indexOf(each);
                    found.append(known < 0 ? each : "\b\f\n\r\t".charAt(known));
                }
            }
            at++;
            return found.toString();
        }
    }
}
