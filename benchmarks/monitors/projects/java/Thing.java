import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** What is sent. */
abstract class Thing {
    int weight;
    private int secret = 1;

    Thing(int grams) { weight = grams; }

    boolean heavier(Thing other) { return weight > other.weight && secret == other.secret; }

    abstract String label();
}

class Parcel extends Thing {
    static int count = 0;
    Size size = Size.SMALL;
    List<Stamp> stamps = new ArrayList<>();
    Optional<Address> receiver = Optional.empty();

    Parcel(int grams) { super(grams); }

    double postage() { return 0.01 * weight; }

    String label() { return "P" + weight; }

    static Parcel empty() { return new Parcel(0); }

    static class Label { String text = ""; }
}

record Stamp(int cents, String motif) {
    Stamp used() { return new Stamp(0, motif); }
}

record Address(String street, String town) {
    List<String> lines() { return List.of(street, town); }
}

class Box<T> {
    private int hidden = 1;
    List<T> items = new ArrayList<>();

    T first() { return items.get(hidden - 1); }

    Box<T> put(T item) { items.add(item); return this; }
}
