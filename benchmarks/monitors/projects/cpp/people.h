// Who sends it.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "things.h"

namespace post {

class Route;

class Driver {
 public:
  Driver(std::string called, Address at) : name(std::move(called)), home(std::move(at)) {}
  Route drives();
  static inline std::string badge = "D";
  std::string name;
  Address home;
  Box<Parcel> load;
  std::map<std::string, std::shared_ptr<Route>> routes;

 private:
  int age = 30;
};

class Route {
 public:
  Route(Driver* by, std::vector<std::string> at) : driver(by), stops(std::move(at)) {}
  std::string longest() const { return stops.front(); }
  Route reversed() const { return Route(driver, stops); }
  std::pair<Driver, Parcel> pair() const { return {*driver, Parcel(2)}; }
  Driver* driver;
  std::vector<std::string> stops;
};

inline Route Driver::drives() { return Route(this, {"north"}); }
std::vector<Driver> everybody();

namespace limits {
constexpr int heaviest = 20;
struct Longest {
  static constexpr int metres = 2;
};
}  // namespace limits

}  // namespace post
