//! Types, operators and collations by name: built in, or code of somebody's.

use pg_query::protobuf::{Node, TypeName};

use super::{
    builtin,
    names::parts,
    walk::{Step, Walk, unknown},
};

impl Walk<'_> {
    /// A type, as in a cast or a column's definition.
    pub(super) fn type_name(&mut self, written: &TypeName) -> Step {
        let names = parts(&written.names).ok_or_else(|| unknown("a type's name"))?;
        self.nodes(&written.typmods)?;
        if written.pct_type {
            // `relation.column%TYPE`: of whatever type the column is; only parameters of routines have it.
            return Ok(());
        }
        match *names {
            [] => Err(unknown("a type without a name")),
            ["pg_catalog", name] => self.known_type(builtin::type_name(name), name, &names),
            ["information_schema", name] => {
                let qualified = format!("information_schema.{name}");
                self.known_type(builtin::type_name(&qualified), name, &names)
            }
            [name] if builtin::type_name(name) => {
                let hidden = self.code_type(name) || !self.system_comes_first() && self.relation_type(name);
                self.known_type(!hidden, name, &names)
            }
            [.., name] => {
                let harmless = !self.code_type(name) && self.relation_type(name);
                self.known_type(harmless, name, &names)
            }
        }
    }

    fn known_type(&mut self, harmless: bool, _name: &str, names: &[&str]) -> Step {
        if !harmless {
            self.call(format!("type {}", names.join(".")));
        }
        Ok(())
    }

    fn code_type(&self, name: &str) -> bool {
        let catalog = self.names.context.catalog.as_ref();
        // The type of an array of `t` is `_t`.
        let element = name.strip_prefix('_').unwrap_or(name);
        catalog
            .is_some_and(|catalog| catalog.code_types.contains(name) || catalog.code_types.contains(element))
    }

    /// A row, enum, composite or domain type of the database, or one that this batch makes.
    fn relation_type(&self, name: &str) -> bool {
        let catalog = self.names.context.catalog.as_ref();
        let element = name.strip_prefix('_').unwrap_or(name);
        catalog.is_some_and(|catalog| {
            catalog.relations.contains_key(name) || catalog.relations.contains_key(element)
        }) || self.names.new_relations.contains(name)
            || [name, element].iter().any(|name| self.names.context.made.contains(*name))
            || self.names.context.temporary.contains(name)
    }

    /// An operator, qualified or not.
    pub(super) fn operator(&mut self, name: &[Node]) -> Step {
        let names = parts(name).ok_or_else(|| unknown("an operator's name"))?;
        match *names {
            [operator] => self.unqualified_operator(operator),
            ["pg_catalog", operator] => {
                if !builtin::operator(operator) {
                    self.call(format!("operator pg_catalog.{operator}"));
                }
            }
            [.., _] => self.call(format!("operator {}", names.join("."))),
            [] => return Err(unknown("an operator without a name")),
        }
        Ok(())
    }

    /// An operator that the syntax stands for, or written without a schema.
    pub(super) fn unqualified_operator(&mut self, operator: &str) {
        let catalog = self.names.context.catalog.as_ref();
        let others = catalog.is_some_and(|catalog| catalog.operators.contains(operator));
        if others || !builtin::operator(operator) {
            self.call(format!("operator {operator}"));
        }
    }
}
