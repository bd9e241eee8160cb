// What is sent.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace post {

enum class Size { small, large };

struct Stamp {
  int cents;
  std::string motif;
  Stamp used() const { return Stamp{0, motif}; }
};

struct Address {
  std::string street;
  std::string town;
  std::vector<std::string> lines() const { return {street, town}; }
};

class Thing {
 public:
  explicit Thing(int grams) : weight(grams) {}
  virtual ~Thing() = default;
  bool heavier(const Thing& other) const { return weight > other.weight; }
  int weight;

 protected:
  int made = 2026;

 private:
  int secret = 0;
};

class Parcel : public Thing {
 public:
  using Thing::Thing;
  static Parcel empty() { return Parcel(0); }
  static inline int count = 0;
  double postage() const { return 0.01 * weight; }
  Size size = Size::small;
  std::vector<Stamp> stamps;
  std::optional<Address> receiver;
};

template <typename T>
class Box {
 public:
  T& first() { return items.front(); }
  Box& put(T item) {
    items.push_back(item);
    return *this;
  }
  std::vector<T> items;

 private:
  int hidden = 1;
};

}  // namespace post
