//! What needs `admin` whatever it is about: code, roles, rights, settings of the server, other servers.

use pg_query::{NodeEnum, protobuf::Node};

use crate::model::facts::{SessionEffect, StatementKind};

use super::walk::{Head, Walk};

impl Walk<'_> {
    /// The head of a statement of administration; `None` if it is none.
    ///
    /// Nothing inside is walked: `admin` on the whole database covers all of it.
    pub(super) fn administration(&mut self, statement: &NodeEnum) -> Option<Head> {
        let (command, what) = code(statement)
            .or_else(|| rights(statement))
            .or_else(|| server(statement))
            .or_else(|| outside(statement))?;
        self.administer(what);
        match statement {
            // Code that runs here and now may set anything.
            NodeEnum::DoStmt(_) | NodeEnum::CallStmt(_) => self.effect(SessionEffect::ContextUnknown),
            NodeEnum::DropOwnedStmt(_) => {
                self.effect(SessionEffect::Define);
                self.effect(SessionEffect::DiscardTemporary);
            }
            _ => self.effect(SessionEffect::Define),
        }
        if let Some(database) = vacated(statement) {
            self.effect(SessionEffect::Vacates(database.into()));
        }
        Some((StatementKind::Administer, command))
    }
}

/// Statements that bring, change or run code.
fn code(statement: &NodeEnum) -> Option<Words> {
    Some(match statement {
        NodeEnum::DoStmt(_) => ("DO", "anonymous code"),
        NodeEnum::CallStmt(_) => ("CALL", "procedure call"),
        NodeEnum::CreateFunctionStmt(create) if create.is_procedure => ("CREATE PROCEDURE", "routine"),
        NodeEnum::CreateFunctionStmt(_) => ("CREATE FUNCTION", "routine"),
        NodeEnum::AlterFunctionStmt(_) => ("ALTER FUNCTION", "routine"),
        NodeEnum::CreateTrigStmt(_) => ("CREATE TRIGGER", "trigger"),
        NodeEnum::CreateEventTrigStmt(_) => ("CREATE EVENT TRIGGER", "event trigger"),
        NodeEnum::AlterEventTrigStmt(_) => ("ALTER EVENT TRIGGER", "event trigger"),
        NodeEnum::RuleStmt(_) => ("CREATE RULE", "rule"),
        NodeEnum::CreatePolicyStmt(_) => ("CREATE POLICY", "row security policy"),
        NodeEnum::AlterPolicyStmt(_) => ("ALTER POLICY", "row security policy"),
        NodeEnum::CreateCastStmt(_) => ("CREATE CAST", "cast"),
        NodeEnum::CreateTransformStmt(_) => ("CREATE TRANSFORM", "transform"),
        NodeEnum::CreateConversionStmt(_) => ("CREATE CONVERSION", "conversion"),
        NodeEnum::CreateOpClassStmt(_) => ("CREATE OPERATOR CLASS", "operator class"),
        NodeEnum::CreateOpFamilyStmt(_) => ("CREATE OPERATOR FAMILY", "operator family"),
        NodeEnum::AlterOpFamilyStmt(_) => ("ALTER OPERATOR FAMILY", "operator family"),
        NodeEnum::AlterOperatorStmt(_) => ("ALTER OPERATOR", "operator"),
        NodeEnum::CreateAmStmt(_) => ("CREATE ACCESS METHOD", "access method"),
        NodeEnum::CreatePlangStmt(_) => ("CREATE LANGUAGE", "language"),
        NodeEnum::DefineStmt(_) => {
            ("CREATE", "aggregate, operator, base type, collation or text search object")
        }
        NodeEnum::AlterTypeStmt(_) => ("ALTER TYPE", "base type"),
        NodeEnum::AlterTsdictionaryStmt(_) => ("ALTER TEXT SEARCH DICTIONARY", "text search object"),
        NodeEnum::AlterTsconfigurationStmt(_) => ("ALTER TEXT SEARCH CONFIGURATION", "text search object"),
        NodeEnum::AlterCollationStmt(_) => ("ALTER COLLATION", "collation"),
        NodeEnum::CreateExtensionStmt(_) => ("CREATE EXTENSION", "extension"),
        NodeEnum::AlterExtensionStmt(_) | NodeEnum::AlterExtensionContentsStmt(_) => {
            ("ALTER EXTENSION", "extension")
        }
        NodeEnum::AlterObjectDependsStmt(_) => ("ALTER", "dependence on an extension"),
        _ => return None,
    })
}

/// Statements on roles and rights.
fn rights(statement: &NodeEnum) -> Option<Words> {
    Some(match statement {
        NodeEnum::GrantStmt(grant) if grant.is_grant => ("GRANT", "privileges"),
        NodeEnum::GrantStmt(_) => ("REVOKE", "privileges"),
        NodeEnum::GrantRoleStmt(grant) if grant.is_grant => ("GRANT ROLE", "role"),
        NodeEnum::GrantRoleStmt(_) => ("REVOKE ROLE", "role"),
        NodeEnum::AlterDefaultPrivilegesStmt(_) => ("ALTER DEFAULT PRIVILEGES", "privileges"),
        NodeEnum::CreateRoleStmt(_) => ("CREATE ROLE", "role"),
        NodeEnum::AlterRoleStmt(_) | NodeEnum::AlterRoleSetStmt(_) => ("ALTER ROLE", "role"),
        NodeEnum::DropRoleStmt(_) => ("DROP ROLE", "role"),
        NodeEnum::DropOwnedStmt(_) => ("DROP OWNED", "role"),
        NodeEnum::ReassignOwnedStmt(_) => ("REASSIGN OWNED", "role"),
        NodeEnum::AlterOwnerStmt(_) => ("ALTER", "owner"),
        NodeEnum::SecLabelStmt(_) => ("SECURITY LABEL", "security label"),
        _ => return None,
    })
}

/// Statements on databases and the server.
fn server(statement: &NodeEnum) -> Option<Words> {
    Some(match statement {
        NodeEnum::CreatedbStmt(_) => ("CREATE DATABASE", "database"),
        NodeEnum::AlterDatabaseStmt(_)
        | NodeEnum::AlterDatabaseSetStmt(_)
        | NodeEnum::AlterDatabaseRefreshCollStmt(_) => ("ALTER DATABASE", "database"),
        NodeEnum::DropdbStmt(_) => ("DROP DATABASE", "database"),
        NodeEnum::CreateTableSpaceStmt(_) => ("CREATE TABLESPACE", "tablespace"),
        NodeEnum::AlterTableSpaceOptionsStmt(_) | NodeEnum::AlterTableMoveAllStmt(_) => {
            ("ALTER TABLESPACE", "tablespace")
        }
        NodeEnum::DropTableSpaceStmt(_) => ("DROP TABLESPACE", "tablespace"),
        NodeEnum::AlterSystemStmt(_) => ("ALTER SYSTEM", "server settings"),
        NodeEnum::LoadStmt(_) => ("LOAD", "library"),
        NodeEnum::CheckPointStmt(_) => ("CHECKPOINT", "checkpoint"),
        _ => return None,
    })
}

/// The database in which nobody else may be for a statement on databases.
fn vacated(statement: &NodeEnum) -> Option<&str> {
    match statement {
        NodeEnum::DropdbStmt(drop) => Some(&drop.dbname),
        NodeEnum::CreatedbStmt(create) => match option(&create.options, "template") {
            Some(NodeEnum::String(template)) => Some(&template.sval),
            _ => Some("template1"),
        },
        NodeEnum::AlterDatabaseStmt(alter) => {
            option(&alter.options, "tablespace").map(|_| alter.dbname.as_str())
        }
        _ => None,
    }
}

/// The value of an option.
fn option<'o>(options: &'o [Node], called: &str) -> Option<&'o NodeEnum> {
    options.iter().find_map(|option| match option.node.as_ref()? {
        NodeEnum::DefElem(option) if option.defname == called => option.arg.as_deref()?.node.as_ref(),
        _ => None,
    })
}

/// Statements on other servers and on replication.
fn outside(statement: &NodeEnum) -> Option<Words> {
    Some(match statement {
        NodeEnum::CreateFdwStmt(_) => ("CREATE FOREIGN DATA WRAPPER", "foreign data wrapper"),
        NodeEnum::AlterFdwStmt(_) => ("ALTER FOREIGN DATA WRAPPER", "foreign data wrapper"),
        NodeEnum::CreateForeignServerStmt(_) => ("CREATE SERVER", "foreign server"),
        NodeEnum::AlterForeignServerStmt(_) => ("ALTER SERVER", "foreign server"),
        NodeEnum::CreateForeignTableStmt(_) => ("CREATE FOREIGN TABLE", "foreign server"),
        NodeEnum::ImportForeignSchemaStmt(_) => ("IMPORT FOREIGN SCHEMA", "foreign server"),
        NodeEnum::CreateUserMappingStmt(_) => ("CREATE USER MAPPING", "user mapping"),
        NodeEnum::AlterUserMappingStmt(_) => ("ALTER USER MAPPING", "user mapping"),
        NodeEnum::DropUserMappingStmt(_) => ("DROP USER MAPPING", "user mapping"),
        NodeEnum::CreatePublicationStmt(_) => ("CREATE PUBLICATION", "publication"),
        NodeEnum::AlterPublicationStmt(_) => ("ALTER PUBLICATION", "publication"),
        NodeEnum::CreateSubscriptionStmt(_) => ("CREATE SUBSCRIPTION", "subscription"),
        NodeEnum::AlterSubscriptionStmt(_) => ("ALTER SUBSCRIPTION", "subscription"),
        NodeEnum::DropSubscriptionStmt(_) => ("DROP SUBSCRIPTION", "subscription"),
        _ => return None,
    })
}

/// The command, and what it administers.
type Words = (&'static str, &'static str);
