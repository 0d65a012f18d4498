// The text of the SQL room. Loaded when the room is opened.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { MySQL, PostgreSQL, sql } from "@codemirror/lang-sql";
import { HighlightStyle, bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { Compartment, EditorSelection, EditorState, Prec } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { Table } from "./catalog.ts";
import { meta } from "./api.ts";
import type { Dialect } from "./sql.ts";

export type Keys = { run: () => void; runAll: () => void; explain: () => void; changed: (text: string) => void };

export class TextPane {
  private readonly view: EditorView;
  private readonly language = new Compartment();
  private readonly states = new Map<string, EditorState>();
  private current = "";
  private spoken: Dialect = "postgres";
  private tables: Table[] = [];

  constructor(place: HTMLElement, private readonly keys: Keys) {
    this.view = new EditorView({ parent: place, state: this.state("") });
  }

  /** Shows the text of a tab; what was undone and can be redone goes with it. */
  show(id: string, text: string): void {
    if (this.current === id) return;
    if (this.current) this.states.set(this.current, this.view.state);
    this.current = id;
    this.view.setState(this.states.get(id) ?? this.state(text));
    this.speak(this.spoken, this.tables);
  }

  speak(dialect: Dialect, tables: Table[]): void {
    [this.spoken, this.tables] = [dialect, tables];
    this.view.dispatch({ effects: this.language.reconfigure(languageOf(dialect, tables)) });
  }

  get text(): string {
    return this.view.state.doc.toString();
  }

  get selection(): { from: number; to: number } {
    const { from, to } = this.view.state.selection.main;
    return { from, to };
  }

  insert(text: string): void {
    this.view.dispatch(this.view.state.replaceSelection(text));
    this.view.focus();
  }

  replace(text: string): void {
    this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text }, selection: EditorSelection.cursor(text.length) });
    this.view.focus();
  }

  goTo(at: number): void {
    this.view.dispatch({ selection: EditorSelection.cursor(Math.max(0, Math.min(at, this.view.state.doc.length))), scrollIntoView: true });
    this.view.focus();
  }

  focus(): void {
    this.view.focus();
  }

  close(): void {
    this.view.destroy();
  }

  private state(text: string): EditorState {
    const does = (work: () => void) => () => { work(); return true; };
    return EditorState.create({
      doc: text,
      extensions: [
        EditorView.cspNonce.of(meta("csp-nonce")),
        EditorView.contentAttributes.of({ "aria-label": "SQL text" }),
        Prec.highest(keymap.of([
          { key: "Mod-Enter", run: does(this.keys.run) },
          { key: "Mod-Shift-Enter", run: does(this.keys.runAll) },
          { key: "Mod-e", run: does(this.keys.explain) },
        ])),
        lineNumbers(), history(), drawSelection(), bracketMatching(), closeBrackets(), highlightActiveLine(), autocompletion(),
        placeholder("SELECT …    Ctrl+Enter runs the statement under the cursor"),
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap, indentWithTab]),
        syntaxHighlighting(COLOURS), LOOK, EditorView.lineWrapping,
        this.language.of(languageOf(this.spoken, this.tables)),
        EditorView.updateListener.of((update) => { if (update.docChanged) this.keys.changed(update.state.doc.toString()); }),
      ],
    });
  }
}

function languageOf(dialect: Dialect, tables: Table[]) {
  const schema: Record<string, string[]> = {};
  for (const table of tables) {
    const columns = table.columns.map((column) => column.name);
    if (table.schema) schema[`${table.schema}.${table.name}`] = columns;
    else schema[table.name] = columns;
  }
  return sql({ dialect: dialect === "mysql" ? MySQL : PostgreSQL, schema, ...(dialect === "postgres" ? { defaultSchema: "public" } : {}) });
}

const COLOURS = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: "var(--word)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--number)" },
  { tag: [tags.lineComment, tags.blockComment], color: "var(--comment)", fontStyle: "italic" },
  { tag: [tags.typeName, tags.standard(tags.name)], color: "var(--word)" },
]);

const LOOK = EditorView.theme({
  "&": { backgroundColor: "var(--surface)", color: "var(--text)", fontSize: "13px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "20px" },
  ".cm-content": { padding: "8px 0", caretColor: "var(--accent)" },
  ".cm-cursor": { borderLeftColor: "var(--accent)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--faint)", border: "0", paddingLeft: "4px" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--hover) 45%, transparent)" },
  ".cm-activeLineGutter": { backgroundColor: "transparent", color: "var(--text)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "var(--select)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--accent)" },
  ".cm-placeholder": { color: "var(--faint)" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", border: "1px solid var(--line-strong)", borderRadius: "6px", boxShadow: "var(--shadow)", overflow: "hidden" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "12px", maxHeight: "240px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "2px 8px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent-soft)", color: "var(--text)" },
});
