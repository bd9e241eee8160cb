import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** Who sends it. */
class Driver {
    static String badge = "D";
    final String name;
    Address home;
    Box<Parcel> load = new Box<>();
    Map<String, Route> routes = new HashMap<>();
    private int age = 30;

    Driver(String name, Address home) { this.name = name; this.home = home; }

    Route drives() { return new Route(this, List.of("north " + age)); }

    CompletableFuture<Parcel> arrives() { return CompletableFuture.completedFuture(new Parcel(1)); }

    static List<Driver> everybody() { return List.of(new Driver("Ada", new Address("Mill Lane 1", "York"))); }
}

class Route {
    Driver driver;
    List<String> stops;

    Route(Driver driver, List<String> stops) { this.driver = driver; this.stops = stops; }

    String longest() { return stops.get(0); }

    Route reversed() { return new Route(driver, stops); }
}
