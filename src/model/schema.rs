//! How the values that are written as one text look in the description of the API.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{
            AdditionalProperties, ArrayBuilder, KnownFormat, Object, ObjectBuilder, OneOfBuilder, Schema,
            SchemaFormat, Type,
        },
    },
};

use super::{
    denial::DenialId,
    grant::{GrantName, Holder},
    ids::{
        DatabaseName, DeliveryId, DirectoryGroupId, EnvironmentName, GatewayName, GrantId, GroupName, KeyId,
        PrincipalName, RequestId, RoleName, SessionId, TargetName, TokenId, WebhookName,
    },
    lifetime::Lifetime,
    object::{Glob, ObjectPattern},
    permission::{Permission, PermissionSet},
};

macro_rules! described {
    ($($type:ident: $schema:expr;)*) => {$(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                stringify!($type).into()
            }
        }
    )*};
}

described! {
    DatabaseName: text("A database on a target.");
    EnvironmentName: text("What an environment of targets is called.");
    GatewayName: text("A gateway, where several share a store.");
    GroupName: text("A group of principals.");
    PrincipalName: text("A person, service or agent that logs in.");
    RoleName: text("A named bundle of permissions in policy.");
    TargetName: text("A protected database server.");
    WebhookName: text("An address that is told of events.");

    DeliveryId: uuid("One event on its way to one webhook.");
    GrantId: uuid("A grant.");
    DirectoryGroupId: uuid("A group that a directory keeps.");
    KeyId: uuid("A service key.");
    RequestId: uuid("A request for a grant.");
    SessionId: uuid("One login of one client.");
    TokenId: uuid("A short-lived database token.");

    DenialId: fitting("A refusal, as its hint names it.", "^[0-9a-fA-F]{8}$");
    Glob: text("A name in which * stands for any characters.");
    Holder: OneOfBuilder::new()
        .item(only("principal", "One principal."))
        .item(only("group", "Every member of a group, as of the moment of use."))
        .description(Some("Who holds a grant."));
    GrantName: text("The identifier of a grant that was made, or the place of a standing one in policy.");
    Lifetime: fitting(
        "Counts of days, hours, minutes and seconds, largest first: 90s, 2m, 8h, 1h30m; from 1s to 90d.",
        LIFETIME
    );
    ObjectPattern: fitting(
        "\"*\" for the whole database, schema.table, or on MySQL table; * stands for any characters.",
        "^[^.]+(\\.[^.]+)?$"
    );
}

impl PartialSchema for PermissionSet {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new().items(Permission::schema()).description(Some("Permissions.")).into()
    }
}

impl ToSchema for PermissionSet {
    fn name() -> Cow<'static, str> {
        "PermissionSet".into()
    }
}

/// What is surely taken: spelled as a clock would, or in one unit.
const LIFETIME: &str = "^(?=.*[1-9])(([1-8]?[0-9]d)?([01]?[0-9]h|2[0-3]h)?([1-5]?[0-9]m)?([1-5]?[0-9]s)?|90d|\
    [0-9]{1,3}h|1[0-9]{3}h|20[0-9]{2}h|[0-9]{1,5}m|1[01][0-9]{4}m|[0-9]{1,6}s|[1-6][0-9]{6}s)$";

/// An object of this one field.
fn only(field: &str, what: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(what))
        .property(field, text("Its name."))
        .required(field)
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        .build()
}

fn text(what: &str) -> Object {
    ObjectBuilder::new().schema_type(Type::String).description(Some(what)).build()
}

fn fitting(what: &str, pattern: &str) -> Object {
    ObjectBuilder::new().schema_type(Type::String).description(Some(what)).pattern(Some(pattern)).build()
}

fn uuid(what: &str) -> Object {
    let format = SchemaFormat::KnownFormat(KnownFormat::Uuid);
    ObjectBuilder::new().schema_type(Type::String).format(Some(format)).description(Some(what)).build()
}
