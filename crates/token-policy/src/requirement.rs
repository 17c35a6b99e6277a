//! Which operation needs what: the one table.

use token_core::{Category, Permission, Permissions, ResourceKind};

use crate::operation::Operation;

/// What a request must show for an operation to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the decision must meet every requirement"
)]
pub enum Requirement<'a> {
    /// Nothing: no token either. A token that is presented must still be good.
    Public,
    /// A valid token of the keyset, whatever it grants.
    Token,
    /// The secret key: no token is enough.
    SecretKey,
    /// The category, unless the keyset says otherwise (contract 10.5).
    Listing(Category),
    /// Permissions on every name of the request, by kind.
    Names(&'a [Need]),
    /// Permissions on each name of the request, in the order of its targets: what
    /// the rules of a rule file require.
    Each(&'a [Permissions]),
    /// Each of these permissions of a customer: what the rules of an account
    /// require (oem 2).
    Customer(&'a [Box<str>]),
    /// The permission on the whole DataSync collection (contract 10.4).
    Collection(Permission),
    /// The permission on the named DataSync record.
    Record(Permission),
    /// The permission on the named DataSync record, or on the whole collection
    /// when the service is to make up the id.
    NewRecord(Permission),
}

/// The permissions that an operation needs on every name of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a row of the table of requirements"
)]
pub struct Need {
    /// The kind of the names.
    pub kind: ResourceKind,
    /// What must be held on each.
    pub permissions: Permissions,
    /// Whether a request without such a name is refused. Of needs that are all
    /// optional, a request must name at least one.
    pub required: bool,
}

impl Need {
    const fn every(kind: ResourceKind, permission: Permission) -> Self {
        Self {
            kind,
            permissions: Permissions::only(permission),
            required: true,
        }
    }

    const fn any(kind: ResourceKind, permission: Permission) -> Self {
        Self {
            kind,
            permissions: Permissions::only(permission),
            required: false,
        }
    }
}

const fn channel(permission: Permission) -> [Need; 1] {
    [Need::every(ResourceKind::Channel, permission)]
}

const fn uuid(permission: Permission) -> [Need; 1] {
    [Need::every(ResourceKind::Uuid, permission)]
}

const CHANNEL_READ: &[Need] = &channel(Permission::Read);
const CHANNEL_WRITE: &[Need] = &channel(Permission::Write);
const CHANNEL_DELETE: &[Need] = &channel(Permission::Delete);
const CHANNEL_GET: &[Need] = &channel(Permission::Get);
const CHANNEL_UPDATE: &[Need] = &channel(Permission::Update);
const CHANNEL_MANAGE: &[Need] = &channel(Permission::Manage);
const UUID_GET: &[Need] = &uuid(Permission::Get);
const UUID_UPDATE: &[Need] = &uuid(Permission::Update);
const UUID_DELETE: &[Need] = &uuid(Permission::Delete);
const GROUP_MANAGE: &[Need] = &[Need::every(ResourceKind::Group, Permission::Manage)];
const LISTEN: &[Need] = &[
    Need::any(ResourceKind::Channel, Permission::Read),
    Need::any(ResourceKind::Group, Permission::Read),
];
const JOIN: &[Need] = &[
    Need::every(ResourceKind::Uuid, Permission::Update),
    Need::every(ResourceKind::Channel, Permission::Join),
];

impl Operation {
    /// What this operation requires (contract sections 5, 9, 10.4, 10.5, 10.8).
    #[must_use]
    pub const fn requirement(self) -> Requirement<'static> {
        match self {
            Self::Publish | Self::Fire | Self::Signal => Requirement::Names(CHANNEL_WRITE),
            Self::Subscribe | Self::Heartbeat | Self::HereNow | Self::GetState | Self::SetState => {
                Requirement::Names(LISTEN)
            }
            Self::Leave | Self::WhereNow | Self::ListPushChannels | Self::RemovePushDevice => {
                Requirement::Token
            }
            Self::HereNowGlobal | Self::ListGroups => Requirement::SecretKey,
            Self::History
            | Self::HistoryWithActions
            | Self::MessageCounts
            | Self::GetMessageActions
            | Self::ListFiles
            | Self::DownloadFile
            | Self::AddPushChannels
            | Self::RemovePushChannels => Requirement::Names(CHANNEL_READ),
            Self::AddMessageAction | Self::UploadFile | Self::PublishFile => {
                Requirement::Names(CHANNEL_WRITE)
            }
            Self::DeleteMessages
            | Self::RemoveMessageAction
            | Self::DeleteFile
            | Self::RemoveChannel => Requirement::Names(CHANNEL_DELETE),
            Self::AddGroupChannels
            | Self::RemoveGroupChannels
            | Self::ListGroupChannels
            | Self::DeleteGroup => Requirement::Names(GROUP_MANAGE),
            Self::GetUser | Self::GetMemberships => Requirement::Names(UUID_GET),
            Self::SetUser => Requirement::Names(UUID_UPDATE),
            Self::RemoveUser => Requirement::Names(UUID_DELETE),
            Self::ListUsers => Requirement::Listing(Category::Uuids),
            Self::GetChannel | Self::GetMembers => Requirement::Names(CHANNEL_GET),
            Self::SetChannel => Requirement::Names(CHANNEL_UPDATE),
            Self::ListChannels => Requirement::Listing(Category::Channels),
            Self::SetMembers | Self::RemoveMembers => Requirement::Names(CHANNEL_MANAGE),
            Self::SetMemberships | Self::RemoveMemberships => Requirement::Names(JOIN),
            Self::Time => Requirement::Public,
            Self::DataSyncList => Requirement::Collection(Permission::Get),
            Self::DataSyncGet => Requirement::Record(Permission::Get),
            Self::DataSyncCreate => Requirement::NewRecord(Permission::Create),
            Self::DataSyncUpdate => Requirement::Record(Permission::Update),
            Self::DataSyncDelete => Requirement::Record(Permission::Delete),
        }
    }
}
