// Offsets in bytes of the accesses of Java files, a line of JSON each: `java Accesses.java FILES`.

import com.sun.source.tree.*;
import com.sun.source.util.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import javax.tools.*;

public class Accesses {
    public static void main(String[] paths) throws Exception {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        for (String path : paths) {
            String text = Files.readString(Path.of(path));
            StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null);
            JavacTask task = (JavacTask) compiler.getTask(null, files, problem -> {}, null, null, files.getJavaFileObjects(path));
            Set<Integer> found = new TreeSet<>();
            for (CompilationUnitTree unit : task.parse()) new Finder(text, unit, Trees.instance(task).getSourcePositions(), found).scan(unit, null);
            StringJoiner offsets = new StringJoiner(", ", "[", "]");
            for (int at : found) offsets.add("" + text.substring(0, at).getBytes(StandardCharsets.UTF_8).length);
            System.out.println("{\"path\": \"" + path + "\", \"accesses\": " + offsets + "}");
        }
    }

    static class Finder extends TreeScanner<Void, Void> {
        final String text;
        final CompilationUnitTree unit;
        final SourcePositions positions;
        final Set<Integer> found;

        Finder(String text, CompilationUnitTree unit, SourcePositions positions, Set<Integer> found) {
            this.text = text;
            this.unit = unit;
            this.positions = positions;
            this.found = found;
        }

        @Override public Void visitImport(ImportTree tree, Void nothing) { return null; }

        @Override public Void visitPackage(PackageTree tree, Void nothing) { return null; }

        @Override public Void visitMemberSelect(MemberSelectTree tree, Void nothing) {
            add(tree.getExpression(), ".");
            return super.visitMemberSelect(tree, nothing);
        }

        @Override public Void visitMemberReference(MemberReferenceTree tree, Void nothing) {
            add(tree.getQualifierExpression(), "::");
            return super.visitMemberReference(tree, nothing);
        }

        void add(Tree before, String operator) {
            int at = (int) positions.getEndPosition(unit, before);
            while (true) {
                while (Character.isWhitespace(text.charAt(at))) at++;
                if (text.startsWith("//", at)) at = text.indexOf("\n", at);
                else if (text.startsWith("/*", at)) at = text.indexOf("*/", at) + 2;
                else break;
            }
            if (text.startsWith(operator, at)) found.add(at + operator.length() - 1);
        }
    }
}
