// What is sent.

export enum Size {
  Small = "S",
  Large = "L",
}

export abstract class Thing {
  protected readonly made = 2026;
  private secret = "none";

  constructor(public weight: number) {}

  heavier(other: Thing): boolean {
    return this.weight > other.weight && this.secret === other.secret;
  }

  abstract label(): string;
}

export class Parcel extends Thing {
  static count = 0;
  size: Size = Size.Small;
  stamps: Stamp[] = [];
  receiver?: Address;

  get postage(): number {
    return 0.01 * this.weight;
  }

  label(): string {
    return `${this.made}`;
  }

  static empty(): Parcel {
    return new Parcel(0);
  }
}

export interface Stamp {
  cents: number;
  readonly motif: string;
  used(): Stamp;
}

export interface Address {
  street: string;
  town: string;
}

export class Box<T> {
  #hidden = 1;
  items: T[] = [];

  first(): T | undefined {
    return this.items[this.#hidden - 1];
  }

  put(item: T): Box<T> {
    this.items.push(item);
    return this;
  }
}

export type Shape = { kind: "circle"; radius: number } | { kind: "square"; side: number };
