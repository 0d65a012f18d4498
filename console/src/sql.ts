// Just enough of SQL's words to tell statements apart and to colour them. What they mean is judged by the gate alone.

export type Token = { kind: "word" | "string" | "name" | "number" | "comment" | "other" | "end"; from: number; to: number };
export type Dialect = "postgres" | "mysql";

export function* tokens(text: string, dialect: Dialect): Generator<Token> {
  let at = 0;
  const until = (end: string, from: number): number => {
    const found = text.indexOf(end, from);
    return found < 0 ? text.length : found + end.length;
  };
  while (at < text.length) {
    const from = at;
    const rest = text.slice(at, at + 2);
    const letter = text[at] as string;
    let kind: Token["kind"] = "other";
    if (rest === "--" || (letter === "#" && dialect === "mysql")) {
      [kind, at] = ["comment", until("\n", at)];
    } else if (rest === "/*") {
      [kind, at] = ["comment", blockEnd(text, at, dialect === "postgres")];
    } else if (letter === "'" || (letter === '"' && dialect === "mysql")) {
      const escapes = dialect === "mysql" || /[eE]/.test(text[from - 1] ?? "");
      [kind, at] = ["string", quoteEnd(text, at, letter, escapes)];
    } else if (letter === '"' || letter === "`") {
      [kind, at] = ["name", quoteEnd(text, at, letter, false)];
    } else if (letter === "$" && dialect === "postgres" && /^\$(?:[A-Za-z_]\w*)?\$/.test(text.slice(at, at + 66))) {
      const tag = text.slice(at, text.indexOf("$", at + 1) + 1);
      [kind, at] = ["string", until(tag, at + tag.length)];
    } else if (letter === ";") {
      [kind, at] = ["end", at + 1];
    } else if (/\d/.test(letter)) {
      [kind, at] = ["number", at + (/^[\d.]+(?:[eE][+-]?\d+)?/.exec(text.slice(at, at + 80))?.[0].length ?? 1)];
    } else if (/[\p{L}_]/u.test(letter)) {
      [kind, at] = ["word", at + (/^[\p{L}\p{N}_$]+/u.exec(text.slice(at, at + 200))?.[0].length ?? 1)];
    } else {
      at += 1;
    }
    yield { kind, from, to: at };
  }
}

function quoteEnd(text: string, at: number, quote: string, escapes: boolean): number {
  for (let next = at + 1; next < text.length; next += 1) {
    if (escapes && text[next] === "\\") next += 1;
    else if (text[next] === quote) {
      if (text[next + 1] !== quote) return next + 1;
      next += 1;
    }
  }
  return text.length;
}

function blockEnd(text: string, at: number, nests: boolean): number {
  let depth = 0;
  for (let next = at; next < text.length; next += 1) {
    const two = text.slice(next, next + 2);
    if (two === "/*" && (nests || depth === 0)) [depth, next] = [depth + 1, next + 1];
    else if (two === "*/") {
      [depth, next] = [depth - 1, next + 1];
      if (depth === 0) return next + 1;
    }
  }
  return text.length;
}

export type Statement = { from: number; to: number; sql: string };

export function statements(text: string, dialect: Dialect): Statement[] {
  const found: Statement[] = [];
  let [from, to] = [-1, -1];
  const close = () => {
    if (from >= 0) found.push({ from, to, sql: text.slice(from, to) });
    from = -1;
  };
  for (const token of tokens(text, dialect)) {
    if (token.kind === "end") close();
    else if (token.kind !== "comment" && text.slice(token.from, token.to).trim()) {
      if (from < 0) from = token.from;
      to = token.to;
    }
  }
  close();
  return found;
}

/** The statement at a place: the one that it is in, else the one before it, else the next. */
export function statementAt(text: string, at: number, dialect: Dialect): Statement | undefined {
  const all = statements(text, dialect);
  return all.find((it) => it.from <= at && at <= it.to) ?? all.filter((it) => it.to < at).pop() ?? all[0];
}

export const KEYWORDS = new Set(
  `all alter analyze and any as asc begin between by call case cast check column comment commit constraint copy create cross cube
  current_date current_timestamp database default delete desc describe distinct do drop else end except exists explain export false
  fetch filter for foreign from full function grant group having if ilike in index inner insert intersect interval into is join key
  lateral left like limit lock materialized merge natural not null offset on only or order outer over partition primary procedure
  recursive references returning revoke right rollback row rows savepoint select set show some table then to transaction trigger true
  truncate union unique update use using vacuum values verbose view when where window with`.split(/\s+/));
