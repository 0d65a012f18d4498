//! The accounts by which the gateway logs in. Whoever changes one takes its password, or locks the gateway out.

use pg_query::{
    NodeEnum,
    protobuf::{Node, ObjectType, RoleSpec, RoleSpecType},
};

use crate::{model::facts::Unanalyzable, sql::account::spared};

use super::walk::Walk;

impl Walk<'_> {
    /// Refuses what changes, renames or drops one of the gateway's own accounts, or takes away all that it owns.
    ///
    /// # Errors
    /// `Never` where it does, or may.
    pub(super) fn spare_accounts(&self, statement: &NodeEnum) -> Result<(), Unanalyzable> {
        let account = match statement {
            NodeEnum::AlterRoleStmt(alter) => alter.role.as_ref().and_then(|role| self.own_account(role)),
            NodeEnum::AlterRoleSetStmt(alter) => match &alter.role {
                Some(role) => self.own_account(role),
                None => Some("ALL"),
            },
            NodeEnum::DropRoleStmt(drop) => self.own_among(&drop.roles),
            NodeEnum::DropOwnedStmt(drop) => self.own_among(&drop.roles),
            NodeEnum::ReassignOwnedStmt(reassign) => self.own_among(&reassign.roles),
            NodeEnum::RenameStmt(rename) if rename.rename_type == ObjectType::ObjectRole as i32 => {
                self.is_account(&rename.subname).then_some(rename.subname.as_str())
            }
            _ => None,
        };
        account.map_or(Ok(()), |account| Err(spared(account)))
    }

    /// The account that a role stands for, if it is one of the gateway's own; whom the session works as always is.
    fn own_account<'r>(&self, role: &'r RoleSpec) -> Option<&'r str> {
        match RoleSpecType::try_from(role.roletype) {
            Ok(RoleSpecType::RolespecCstring) => self.is_account(&role.rolename).then_some(&*role.rolename),
            Ok(RoleSpecType::RolespecPublic) => None,
            Ok(RoleSpecType::RolespecCurrentRole) => Some("CURRENT_ROLE"),
            Ok(RoleSpecType::RolespecCurrentUser) => Some("CURRENT_USER"),
            Ok(RoleSpecType::RolespecSessionUser) => Some("SESSION_USER"),
            // closed: it may be any.
            Ok(RoleSpecType::Undefined) | Err(_) => Some("?"),
        }
    }

    fn own_among<'r>(&self, roles: &'r [Node]) -> Option<&'r str> {
        roles.iter().find_map(|role| match role.node.as_ref() {
            Some(NodeEnum::RoleSpec(role)) => self.own_account(role),
            _ => Some("?"),
        })
    }

    fn is_account(&self, name: &str) -> bool {
        self.names.context.accounts.iter().any(|account| account.as_str() == name)
    }
}
