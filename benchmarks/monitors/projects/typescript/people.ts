// Who sends it.

import { Address, Box, Parcel } from "./things";

export class Driver {
  static badge = "D";
  load = new Box<Parcel>();
  routes = new Map<string, Route>();

  constructor(public readonly name: string, public home: Address, private age: number) {}

  drives(): Route {
    return new Route(this, [`north ${this.age}`]);
  }

  async arrives(): Promise<Parcel> {
    return new Parcel(1);
  }
}

export class Route {
  constructor(public driver: Driver, public stops: string[]) {}

  longest(): string {
    return this.stops[0] ?? "";
  }

  reversed(): Route {
    return new Route(this.driver, [...this.stops].reverse());
  }

  pair(): [Driver, Parcel] {
    return [this.driver, new Parcel(2)];
  }
}

export function everybody(): Driver[] {
  return [new Driver("Ada", { street: "Mill Lane 1", town: "York" }, 30)];
}

export const limits = { heaviest: 20, longest: { metres: 2 } };
