// Rows as a table of which only what is seen is in the page.
import type { Column, Row } from "./types.ts";

const HEIGHT = 24;
const SPARE = 12;
const RIGHT = /^(?:int|float|numeric|money|oid|tinyint|smallint|mediumint|bigint|double|decimal|year)/;

export class Grid {
  private readonly head = made("div", "head");
  private readonly body = made("div", "body");
  private readonly lines = new Map<number, HTMLElement>();
  private columns: Column[] = [];
  private rows: Row[] = [];
  private measured = 0;
  private selected = { row: 0, column: 0 };
  private frame = 0;

  constructor(readonly place: HTMLElement, private readonly open: (column: Column, value: string) => void) {
    Object.assign(place, { className: "grid", tabIndex: 0 });
    place.setAttribute("role", "grid");
    place.setAttribute("aria-label", "Result");
    this.head.setAttribute("role", "row");
    this.body.setAttribute("role", "rowgroup");
    this.body.style.position = "relative";
    const top = made("div", "");
    top.setAttribute("role", "rowgroup");
    top.style.display = "contents";
    top.append(this.head);
    place.replaceChildren(top, this.body);
    place.addEventListener("scroll", () => this.later(), { passive: true });
    place.addEventListener("keydown", (event) => this.press(event));
    place.addEventListener("mousedown", (event) => this.point(event));
    place.addEventListener("dblclick", () => this.show());
    place.addEventListener("copy", (event) => this.copy(event));
    new ResizeObserver(() => this.later()).observe(place);
  }

  /** The same rows again are those that came meanwhile. */
  set(columns: Column[], rows: Row[]): void {
    if (columns !== this.columns) {
      [this.columns, this.measured, this.selected] = [columns, 0, { row: 0, column: 0 }];
      this.clear();
      this.place.scrollTo(0, 0);
      const cells = columns.map(({ name, type }, at) => {
        const cell = made("div", RIGHT.test(type) ? "n" : "");
        cell.setAttribute("role", "columnheader");
        cell.setAttribute("aria-colindex", String(at + 2));
        cell.append(name, made("small", "", type));
        cell.title = type ? `${name} ${type}` : name;
        return cell;
      });
      const corner = made("div", "no", "#");
      corner.setAttribute("role", "columnheader");
      this.head.replaceChildren(corner, ...cells);
    }
    this.rows = rows;
    this.place.setAttribute("aria-rowcount", String(rows.length + 1));
    this.place.setAttribute("aria-colcount", String(columns.length + 1));
    if (this.measured < Math.min(rows.length, 200) || this.measured === 0) this.measure();
    this.body.style.height = `${rows.length * HEIGHT}px`;
    this.later();
  }

  private measure(): void {
    const sample = this.rows.slice(0, 200);
    this.measured = Math.max(sample.length, 1);
    const widths = this.columns.map(({ name, type }, at) => {
      const longest = sample.reduce((most, row) => Math.max(most, Math.min(row[at]?.length ?? 4, 48)), 0);
      return `calc(${Math.max(longest, Math.min(name.length + type.length + 2, 32), 5)}ch + 18px)`;
    });
    const number = `calc(${String(this.rows.length || 1).length + 1}ch + 16px)`;
    this.place.style.setProperty("--columns", `${number} ${widths.join(" ")} minmax(0, 1fr)`);
    this.head.style.gridTemplateColumns = "var(--columns)";
  }

  private later(): void {
    if (!this.frame) this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  private draw(): void {
    const { scrollTop, clientHeight } = this.place;
    const first = Math.max(0, Math.floor(scrollTop / HEIGHT) - SPARE);
    const last = Math.min(this.rows.length, Math.ceil((scrollTop + clientHeight) / HEIGHT) + SPARE);
    for (const [at, line] of this.lines) {
      if (at < first || at >= last) {
        line.remove();
        this.lines.delete(at);
      }
    }
    const width = `${this.head.scrollWidth}px`;
    const added = document.createDocumentFragment();
    for (let at = first; at < last; at += 1) {
      const there = this.lines.get(at);
      if (there) continue;
      const line = this.line(at);
      line.style.minWidth = width;
      this.lines.set(at, line);
      added.append(line);
    }
    this.body.append(added);
    this.mark();
  }

  private line(at: number): HTMLElement {
    const line = made("div", "line");
    line.setAttribute("role", "row");
    line.setAttribute("aria-rowindex", String(at + 2));
    line.style.top = `${at * HEIGHT}px`;
    line.style.gridTemplateColumns = "var(--columns)";
    const number = made("div", "no", String(at + 1));
    number.setAttribute("role", "rowheader");
    line.append(number);
    const row = this.rows[at] as Row;
    this.columns.forEach(({ type }, column) => {
      const value = row[column];
      const look = value === null ? "nil" : RIGHT.test(type) ? "n" : "";
      const cell = made("div", look, value === null || value === undefined ? "NULL" : value.length > 300 ? `${value.slice(0, 300)}…` : value);
      cell.setAttribute("role", "gridcell");
      cell.dataset["column"] = String(column);
      line.append(cell);
    });
    return line;
  }

  private mark(): void {
    for (const old of this.body.querySelectorAll('[aria-selected="true"]')) old.removeAttribute("aria-selected");
    this.lines.get(this.selected.row)?.children[this.selected.column + 1]?.setAttribute("aria-selected", "true");
  }

  private point(event: MouseEvent): void {
    const cell = (event.target as HTMLElement).closest<HTMLElement>("[data-column]");
    const line = cell?.parentElement;
    if (!cell || !line) return;
    this.selected = { row: Number(line.getAttribute("aria-rowindex")) - 2, column: Number(cell.dataset["column"]) };
    this.mark();
  }

  private press(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.place.clientHeight / HEIGHT) - 2);
    const moves: Record<string, [number, number]> = {
      ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1], PageDown: [page, 0], PageUp: [-page, 0],
      Home: [0, -this.columns.length], End: [0, this.columns.length],
    };
    if (event.key === "Enter") return this.show();
    const move = event.ctrlKey && (event.key === "Home" || event.key === "End") ? [(event.key === "Home" ? -1 : 1) * this.rows.length, 0] as const : moves[event.key];
    if (!move) return;
    event.preventDefault();
    const within = (value: number, count: number) => Math.max(0, Math.min(count - 1, value));
    this.selected = { row: within(this.selected.row + move[0], this.rows.length), column: within(this.selected.column + move[1], this.columns.length) };
    const top = this.selected.row * HEIGHT;
    if (top < this.place.scrollTop) this.place.scrollTop = top;
    else if (top + 3 * HEIGHT > this.place.scrollTop + this.place.clientHeight) this.place.scrollTop = top + 3 * HEIGHT - this.place.clientHeight;
    this.draw();
    this.lines.get(this.selected.row)?.children[this.selected.column + 1]?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  private value(): string | null | undefined {
    return this.rows[this.selected.row]?.[this.selected.column];
  }

  private copy(event: ClipboardEvent): void {
    if (!getSelection()?.isCollapsed) return;
    event.preventDefault();
    event.clipboardData?.setData("text/plain", this.value() ?? "");
  }

  private show(): void {
    const [column, value] = [this.columns[this.selected.column], this.value()];
    if (column && value !== undefined) this.open(column, value ?? "NULL");
  }

  private clear(): void {
    this.lines.clear();
    this.body.replaceChildren();
  }
}

function made(tag: string, look: string, text?: string): HTMLElement {
  const element = document.createElement(tag);
  element.className = look;
  if (text !== undefined) element.textContent = text;
  return element;
}
