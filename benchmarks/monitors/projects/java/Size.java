enum Size {
    SMALL, LARGE;

    double litres() { return 10.0 * (ordinal() + 1); }
}
