// A value that components read and that renders them again when it changes.
import { useEffect, useState } from "preact/hooks";

export class Cell<T> {
  private readers = new Set<(value: T) => void>();

  constructor(private current: T) {}

  get value(): T {
    return this.current;
  }

  set value(next: T) {
    if (Object.is(next, this.current)) return;
    this.current = next;
    for (const reader of [...this.readers]) reader(next);
  }

  watch(reader: (value: T) => void): () => void {
    this.readers.add(reader);
    return () => this.readers.delete(reader);
  }
}

export function useCell<T>(cell: Cell<T>): T {
  const [, again] = useState({});
  const drawn = cell.value;
  useEffect(() => {
    // It may have changed between being drawn and being watched.
    if (!Object.is(drawn, cell.value)) again({});
    return cell.watch(() => again({}));
  }, [cell]);
  return drawn;
}

/** The time, to the second, for what counts down. */
export const now = new Cell(Date.now());
setInterval(() => (now.value = Date.now()), 1000);
