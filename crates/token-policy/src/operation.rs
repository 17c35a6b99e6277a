//! What a client can ask for.

use core::fmt;

macro_rules! operations {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// One client operation: every row of contract sections 5 and 10.4.
        ///
        /// Names are kebab-case and the same everywhere: code, JSON, command
        /// line, documents.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(
            clippy::exhaustive_enums,
            reason = "a new operation must be met by every rule"
        )]
        pub enum Operation {
            $($(#[$doc])* $variant,)*
        }

        impl Operation {
            /// Every operation, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The kebab-case name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The operation with this kebab-case name, if there is one.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

operations! {
    /// Send a message to a channel.
    Publish = "publish",
    /// Send a message that is neither stored nor replicated.
    Fire = "fire",
    /// Send a small message to a channel.
    Signal = "signal",
    /// Receive the messages of channels and groups.
    Subscribe = "subscribe",
    /// Say that the caller is still present.
    Heartbeat = "heartbeat",
    /// Say that the caller is gone.
    Leave = "leave",
    /// Who is present on channels and groups.
    HereNow = "here-now",
    /// Who is present anywhere in the keyset.
    HereNowGlobal = "here-now-global",
    /// Where a user is present.
    WhereNow = "where-now",
    /// Read the presence state of a user.
    GetState = "get-state",
    /// Write the presence state of the caller.
    SetState = "set-state",
    /// Read stored messages.
    History = "history",
    /// Read stored messages with their actions.
    HistoryWithActions = "history-with-actions",
    /// Count stored messages.
    MessageCounts = "message-counts",
    /// Delete stored messages.
    DeleteMessages = "delete-messages",
    /// Add an action to a message.
    AddMessageAction = "add-message-action",
    /// Remove an action from a message.
    RemoveMessageAction = "remove-message-action",
    /// Read the actions of a channel's messages.
    GetMessageActions = "get-message-actions",
    /// List the files of a channel.
    ListFiles = "list-files",
    /// Ask where to upload a file.
    UploadFile = "upload-file",
    /// Announce a file that was uploaded.
    PublishFile = "publish-file",
    /// Ask where to download a file.
    DownloadFile = "download-file",
    /// Delete a file.
    DeleteFile = "delete-file",
    /// Add channels to a group.
    AddGroupChannels = "add-group-channels",
    /// Remove channels from a group.
    RemoveGroupChannels = "remove-group-channels",
    /// List the channels of a group.
    ListGroupChannels = "list-group-channels",
    /// Delete a group.
    DeleteGroup = "delete-group",
    /// List every group of the keyset.
    ListGroups = "list-groups",
    /// Read the metadata of a user.
    GetUser = "get-user",
    /// Write the metadata of a user.
    SetUser = "set-user",
    /// Delete the metadata of a user.
    RemoveUser = "remove-user",
    /// List the metadata of all users.
    ListUsers = "list-users",
    /// Read the metadata of a channel.
    GetChannel = "get-channel",
    /// Write the metadata of a channel.
    SetChannel = "set-channel",
    /// Delete the metadata of a channel.
    RemoveChannel = "remove-channel",
    /// List the metadata of all channels.
    ListChannels = "list-channels",
    /// Read the members of a channel.
    GetMembers = "get-members",
    /// Add members to a channel, or add and remove.
    SetMembers = "set-members",
    /// Remove members from a channel.
    RemoveMembers = "remove-members",
    /// Read the channels that a user is a member of.
    GetMemberships = "get-memberships",
    /// Let a user join channels, or join and leave.
    SetMemberships = "set-memberships",
    /// Let a user leave channels.
    RemoveMemberships = "remove-memberships",
    /// Push the messages of channels to a device.
    AddPushChannels = "add-push-channels",
    /// Stop pushing the messages of channels to a device.
    RemovePushChannels = "remove-push-channels",
    /// List the channels that are pushed to a device.
    ListPushChannels = "list-push-channels",
    /// Stop pushing to a device.
    RemovePushDevice = "remove-push-device",
    /// Read the clock of the service.
    Time = "time",
    /// List the records of a DataSync collection.
    DataSyncList = "datasync-list",
    /// Read a DataSync record.
    DataSyncGet = "datasync-get",
    /// Create a DataSync record.
    DataSyncCreate = "datasync-create",
    /// Replace or patch a DataSync record.
    DataSyncUpdate = "datasync-update",
    /// Delete a DataSync record.
    DataSyncDelete = "datasync-delete",
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
