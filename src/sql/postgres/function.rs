//! Calls: what a built-in function does beyond computing, and which calls run somebody's code.

use pg_query::{
    NodeEnum,
    protobuf::{FuncCall, Node},
};

use crate::model::{
    facts::{AccessMode, SessionEffect, StatementKind, Tie},
    object::Object,
};

use super::{
    builtin::{self, FunctionClass},
    constant,
    names::{Name, is_system_schema, parts},
    parse,
    walk::{Found, Step, Walk, unknown},
};

/// Texts within texts within texts: no sane statement goes deeper.
const INNER_TEXTS: usize = 3;

impl Walk<'_> {
    pub(super) fn function(&mut self, call: &FuncCall) -> Step {
        let mut names = parts(&call.funcname).ok_or_else(|| unknown("a function's name"))?;
        if let [database, _, _] = *names {
            if database != self.names.context.database.as_str() {
                self.access(Object::OtherDatabase { name: database.into() }, AccessMode::Administer);
            }
            names.remove(0);
        }
        match *names {
            [name] => self.unqualified_function(name, call)?,
            ["pg_catalog", name] => match builtin::function(name) {
                Some(class) => self.builtin(name, class, call)?,
                None => self.unknown_system_function("pg_catalog", name, call),
            },
            ["information_schema", name] => {
                let qualified = format!("information_schema.{name}");
                match builtin::function(&qualified) {
                    Some(class) => self.builtin(&qualified, class, call)?,
                    None => self.unknown_system_function("information_schema", name, call),
                }
            }
            [_, name] if self.routine_only_computes(name) => {}
            [schema, name] => self.call(format!("{schema}.{name}")),
            _ => return Err(unknown("a function's name")),
        }
        self.nodes(&call.args)?;
        self.nodes(&call.agg_order)?;
        self.maybe(call.agg_filter.as_deref())?;
        call.over.as_deref().map_or(Ok(()), |window| self.window(window))
    }

    /// A type of the system may be written as a function of one argument: a cast.
    fn unknown_system_function(&mut self, schema: &str, name: &str, call: &FuncCall) {
        let cast = call.args.len() == 1 && schema == "pg_catalog" && builtin::type_name(name);
        if !cast {
            self.call(format!("{schema}.{name}"));
        }
    }

    fn unqualified_function(&mut self, name: &str, call: &FuncCall) -> Step {
        let catalog = self.names.context.catalog.clone();
        let schemas = catalog.as_ref().and_then(|catalog| catalog.routines.get(name));
        let computes = self.routine_only_computes(name);
        // The server picks by the arguments' types: it may be either.
        let others = !computes && self.path_reaches(schemas);
        if others {
            self.call(name);
        }
        match builtin::function(name) {
            Some(class) => self.builtin(name, class, call),
            None if call.args.len() == 1 && builtin::type_name(name) => Ok(()),
            None => {
                if !others && !computes {
                    self.call(name);
                }
                Ok(())
            }
        }
    }

    /// Whether no routine of this name outside the system's schemas does anything but compute.
    pub(super) fn routine_only_computes(&self, name: &str) -> bool {
        let catalog = self.names.context.catalog.as_ref();
        catalog.is_some_and(|catalog| catalog.computing_routines.contains(name))
    }

    fn builtin(&mut self, name: &str, class: FunctionClass, call: &FuncCall) -> Step {
        self.found.writes |= builtin::writes(name);
        self.values_kept += usize::from(keeps(name, class) && !call.args.iter().all(constant::is_literal));
        match class {
            FunctionClass::Pure | FunctionClass::Size { .. } => {}
            FunctionClass::Pin => self.effect(pinned_by(name)),
            FunctionClass::Sequence { write: false, .. } => self.effect(SessionEffect::ReadsDiagnostics),
            FunctionClass::Sequence { argument, write: true } => {
                self.found.writes = true;
                self.named_relation(name, call, argument, AccessMode::Write);
            }
            FunctionClass::Notify => {
                self.found.writes = true;
                self.access_by_function(Object::Database, AccessMode::Write);
            }
            FunctionClass::ReadsRelation { argument } => {
                self.named_relation(name, call, argument, self.reading);
            }
            FunctionClass::ReadsSchema { argument } => self.named_schema(name, call, argument),
            FunctionClass::ReadsDatabase => self.access_by_function(Object::Database, self.reading),
            FunctionClass::RunsText { argument } => self.runs_text(name, call, argument)?,
            FunctionClass::Setting { write: false } => {}
            FunctionClass::Setting { write: true } => self.set_config(call)?,
            FunctionClass::Guarded => self.guarded(name),
        }
        Ok(())
    }

    /// A function that needs `admin`, and may leave anything behind.
    pub(super) fn guarded(&mut self, name: &str) {
        self.access_by_function(Object::Routine { name: name.into() }, AccessMode::Administer);
        self.effect(SessionEffect::ContextUnknown);
    }

    fn named_relation(&mut self, function: &str, call: &FuncCall, argument: usize, mode: AccessMode) {
        let name = argument_of(call, argument).and_then(constant::name).and_then(constant::qualified_name);
        let parts: Option<Vec<&str>> = name.as_ref().map(|parts| parts.iter().map(String::as_str).collect());
        match parts.as_deref().and_then(Name::of_parts) {
            Some(name) => self.touch_by_function(name, mode),
            None => match argument_of(call, argument).and_then(|argument| self.owner_of_sequence(argument)) {
                // The sequence belongs to a column of the table, and is written as the table is.
                Some(table) => {
                    let parts: Vec<&str> = table.iter().map(String::as_str).collect();
                    if let Some(name) = Name::of_parts(&parts) {
                        self.touch_by_function(name, mode);
                    }
                }
                None => self.guarded(function),
            },
        }
    }

    /// The table in `pg_get_serial_sequence('table', …)`, cast to regclass or not.
    fn owner_of_sequence(&self, argument: &Node) -> Option<Vec<String>> {
        let call = match argument.node.as_ref()? {
            NodeEnum::FuncCall(call) => call,
            NodeEnum::TypeCast(cast) => {
                let names = parts(&cast.type_name.as_ref()?.names)?;
                let regclass = matches!(*names, ["regclass"] | ["pg_catalog", "regclass"]);
                return if regclass { self.owner_of_sequence(cast.arg.as_deref()?) } else { None };
            }
            _ => return None,
        };
        let catalog = self.names.context.catalog.as_ref();
        let built_in = match *parts(&call.funcname)? {
            ["pg_catalog", "pg_get_serial_sequence"] => true,
            ["pg_get_serial_sequence"] => {
                !self.path_reaches(catalog.and_then(|catalog| catalog.routines.get("pg_get_serial_sequence")))
            }
            _ => false,
        };
        let name = constant::qualified_name(constant::name(argument_of(call, 0)?)?)?;
        (built_in && name.len() <= 3).then_some(name)
    }

    fn named_schema(&mut self, function: &str, call: &FuncCall, argument: usize) {
        let name = argument_of(call, argument).and_then(constant::name).and_then(constant::qualified_name);
        match name.as_deref() {
            Some([schema]) if !is_system_schema(schema) => {
                self.access_by_function(Object::Schema { name: schema.as_str().into() }, self.reading);
            }
            _ => self.guarded(function),
        }
    }

    /// A constant text is analysed; any other is dynamic SQL.
    fn runs_text(&mut self, name: &str, call: &FuncCall, argument: usize) -> Step {
        if name == "ts_rewrite" && call.args.len() == 3 {
            // The form that takes no text.
            return Ok(());
        }
        let text = argument_of(call, argument).and_then(constant::text);
        match text {
            Some(text) if self.inner_texts < INNER_TEXTS => self.inner_text(name, text),
            _ => {
                self.guarded(name);
                Ok(())
            }
        }
    }

    fn inner_text(&mut self, function: &str, text: &str) -> Step {
        // An inner text that cannot be read is dynamic SQL like any other.
        match self.read_inner_text(text) {
            Some(found) => {
                let Found { accesses, by_function, calls, writes, .. } = found;
                self.found.by_function.extend(accesses);
                self.found.by_function.extend(by_function);
                self.found.calls.extend(calls);
                self.found.writes |= writes;
            }
            None => self.guarded(function),
        }
        Ok(())
    }

    fn read_inner_text(&self, text: &str) -> Option<Found> {
        let shape = super::bounds::check(text, self.limits).ok()?;
        let bytes = shape.stack_bytes();
        stacker::maybe_grow(bytes, bytes, || {
            let statements = parse::parse(text).ok()?;
            let [statement] = statements.as_slice() else { return None };
            let mut walk = Walk::new(self.names, self.limits);
            walk.inner_texts = self.inner_texts + 1;
            walk.reading = self.reading;
            let (kind, _) = walk.statement(statement.stmt.as_deref(), text).ok()?;
            // What it leaves in the session would go unseen.
            (kind == StatementKind::Select && walk.found.effects.is_empty()).then_some(walk.found)
        })
    }
}

/// Whether a built-in function leaves what it is given where a session can read it, or sends it to one.
fn keeps(name: &str, class: FunctionClass) -> bool {
    match class {
        // Which value comes next does not depend on a row.
        FunctionClass::Sequence { write, .. } => write && name != "nextval",
        FunctionClass::Notify | FunctionClass::Pin | FunctionClass::Setting { write: true } => true,
        FunctionClass::Guarded
        | FunctionClass::Pure
        | FunctionClass::ReadsDatabase
        | FunctionClass::ReadsRelation { .. }
        | FunctionClass::ReadsSchema { .. }
        | FunctionClass::RunsText { .. }
        | FunctionClass::Setting { write: false }
        | FunctionClass::Size { .. } => false,
    }
}

/// What a built-in function leaves that belongs to the connection.
fn pinned_by(name: &str) -> SessionEffect {
    if name.starts_with("pg_advisory_unlock") {
        SessionEffect::Releases(Tie::AdvisoryLock)
    } else if name.contains("advisory_lock") {
        SessionEffect::Ties(Tie::AdvisoryLock)
    } else {
        SessionEffect::Pin
    }
}

/// The argument at a place, if it is given there by position.
pub(super) fn argument_of(call: &FuncCall, place: usize) -> Option<&Node> {
    let argument = call.args.get(place)?;
    let by_position = !matches!(argument.node.as_ref(), Some(NodeEnum::NamedArgExpr(_)));
    (by_position && !call.func_variadic).then_some(argument)
}
