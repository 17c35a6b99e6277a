//! The table of paths, and the automaton that finds the row of a request.

use std::sync::LazyLock;

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start::Config as Start;
use regex_automata::util::syntax;
use regex_automata::{Anchored, MatchKind};

use crate::operation::Operation;

/// The API family of an operation. Each has its own body for a denial (contract
/// sections 6 and 10.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever answers a denial must meet every family"
)]
pub enum Family {
    /// Messages, presence and files: the flat body of Access Manager.
    AccessManager,
    /// Message actions.
    Actions,
    /// Stored messages.
    History,
    /// Channel groups.
    ChannelRegistry,
    /// App Context.
    Objects,
    /// Mobile push.
    Push,
    /// DataSync.
    DataSync,
    /// An API of one's own, protected by a rule file.
    Http,
}

/// How a row becomes an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Is(Operation),
    /// Publish, or fire when the query says so.
    PublishOrFire,
    /// Add, remove or list the channels of a group, by the query.
    GroupChannels,
    /// Add, remove or list the channels of a device, by the query.
    PushChannels,
    /// Set or remove members, by the body.
    Members,
    /// Set or remove memberships, by the body, which names the channels.
    Memberships,
    /// Create a record, whose id is in the body.
    Create,
    /// Access Manager v2.
    Legacy,
}

impl Action {
    /// What it may turn out to be.
    const fn operations(&self) -> &[Operation] {
        match self {
            Self::Is(operation) => core::slice::from_ref(operation),
            Self::PublishOrFire => &[Operation::Publish, Operation::Fire],
            Self::GroupChannels => &[
                Operation::AddGroupChannels,
                Operation::RemoveGroupChannels,
                Operation::ListGroupChannels,
            ],
            Self::PushChannels => &[
                Operation::AddPushChannels,
                Operation::RemovePushChannels,
                Operation::ListPushChannels,
            ],
            Self::Members => &[Operation::SetMembers, Operation::RemoveMembers],
            Self::Memberships => &[Operation::SetMemberships, Operation::RemoveMemberships],
            Self::Create => &[Operation::DataSyncCreate],
            Self::Legacy => &[],
        }
    }
}

/// What a segment of a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Literal,
    SubscribeKey,
    PublishKey,
    Channel,
    /// Channels, at least one.
    Channels,
    /// Channels, or a comma alone for none.
    ChannelsOrNone,
    Group,
    Uuid,
    Collection,
    Record,
    /// A value that no decision depends on.
    Other,
    /// A file name: some clients write a blank in it as `+`.
    FileName,
    /// A message: anything.
    Message,
}

impl Segment {
    /// What a segment of a template stands for.
    fn of(template: &str) -> Self {
        match template {
            "{sub}" => Self::SubscribeKey,
            "{pub}" => Self::PublishKey,
            "{channel}" => Self::Channel,
            "{channels}" => Self::Channels,
            "{channels|,}" => Self::ChannelsOrNone,
            "{group}" => Self::Group,
            "{uuid}" => Self::Uuid,
            "{collection}" => Self::Collection,
            "{record}" => Self::Record,
            "{other}" => Self::Other,
            "{file}" => Self::FileName,
            "{message}" => Self::Message,
            _ => Self::Literal,
        }
    }

    /// The expression of the raw bytes that it may have.
    fn expression(self, template: &str) -> String {
        match self {
            Self::Literal => template.replace("sub?key", "sub[-_]key"),
            Self::SubscribeKey | Self::PublishKey => "[A-Za-z0-9_-]+".to_owned(),
            Self::Collection => "(?:entities|relationships|users|channels|memberships)".to_owned(),
            Self::Channel
            | Self::Channels
            | Self::ChannelsOrNone
            | Self::Group
            | Self::Uuid
            | Self::Record
            | Self::Other
            | Self::FileName
            | Self::Message => "[^/]+".to_owned(),
        }
    }
}

/// A row: method, path template, operation, family.
struct Template(&'static str, &'static str, Action, Family);

use Action::{
    Create, GroupChannels, Is, Legacy, Members, Memberships, PublishOrFire, PushChannels,
};
use Family::{AccessManager, Actions, ChannelRegistry, DataSync, History, Objects, Push};
use Operation as Op;

/// Every row of contract sections 5 and 10.4. `sub?key` is `sub-key` or
/// `sub_key`.
#[rustfmt::skip]
const TEMPLATES: &[Template] = &[
    Template("GET", "/publish/{pub}/{sub}/0/{channel}/0/{message}", PublishOrFire, AccessManager),
    Template("POST", "/publish/{pub}/{sub}/0/{channel}/0", PublishOrFire, AccessManager),
    Template("POST", "/v2/publish/{pub}/{sub}/0/{channel}/0", PublishOrFire, AccessManager),
    Template("GET", "/signal/{pub}/{sub}/0/{channel}/0/{message}", Is(Op::Signal), AccessManager),
    Template("POST", "/signal/{pub}/{sub}/0/{channel}/0", Is(Op::Signal), AccessManager),
    Template("GET", "/v2/subscribe/{sub}/{channels|,}/0", Is(Op::Subscribe), AccessManager),
    Template("GET", "/v2/presence/sub?key/{sub}/channel/{channels|,}/heartbeat", Is(Op::Heartbeat), AccessManager),
    Template("GET", "/v2/presence/sub?key/{sub}/channel/{channels|,}/leave", Is(Op::Leave), AccessManager),
    Template("GET", "/v2/presence/sub?key/{sub}/channel/{channels|,}", Is(Op::HereNow), AccessManager),
    Template("GET", "/v2/presence/sub?key/{sub}", Is(Op::HereNowGlobal), AccessManager),
    Template("GET", "/v2/presence/sub?key/{sub}/uuid/{uuid}", Is(Op::WhereNow), AccessManager),
    Template("GET", "/v2/presence/sub?key/{sub}/channel/{channels|,}/uuid/{other}", Is(Op::GetState), AccessManager),
    Template("GET", "/v2/presence/sub?key/{sub}/channel/{channels|,}/uuid/{other}/data", Is(Op::SetState), AccessManager),
    Template("GET", "/v2/history/sub-key/{sub}/channel/{channel}", Is(Op::History), History),
    Template("GET", "/v3/history/sub-key/{sub}/channel/{channels}", Is(Op::History), History),
    Template("GET", "/v3/history-with-actions/sub-key/{sub}/channel/{channel}", Is(Op::HistoryWithActions), History),
    Template("GET", "/v3/history/sub-key/{sub}/message-counts/{channels}", Is(Op::MessageCounts), History),
    Template("DELETE", "/v3/history/sub-key/{sub}/channel/{channel}", Is(Op::DeleteMessages), History),
    Template("POST", "/v1/message-actions/{sub}/channel/{channel}/message/{other}", Is(Op::AddMessageAction), Actions),
    Template("DELETE", "/v1/message-actions/{sub}/channel/{channel}/message/{other}/action/{other}", Is(Op::RemoveMessageAction), Actions),
    Template("GET", "/v1/message-actions/{sub}/channel/{channel}", Is(Op::GetMessageActions), Actions),
    Template("GET", "/v1/files/{sub}/channels/{channel}/files", Is(Op::ListFiles), AccessManager),
    Template("POST", "/v1/files/{sub}/channels/{channel}/generate-upload-url", Is(Op::UploadFile), AccessManager),
    Template("GET", "/v1/files/publish-file/{pub}/{sub}/0/{channel}/0/{message}", Is(Op::PublishFile), AccessManager),
    Template("POST", "/v1/files/publish-file/{pub}/{sub}/0/{channel}/0", Is(Op::PublishFile), AccessManager),
    Template("GET", "/v1/files/{sub}/channels/{channel}/files/{other}/{file}", Is(Op::DownloadFile), AccessManager),
    Template("DELETE", "/v1/files/{sub}/channels/{channel}/files/{other}/{file}", Is(Op::DeleteFile), AccessManager),
    Template("GET", "/v1/channel-registration/sub-key/{sub}/channel-group/{group}", GroupChannels, ChannelRegistry),
    Template("GET", "/v1/channel-registration/sub-key/{sub}/channel-group/{group}/remove", Is(Op::DeleteGroup), ChannelRegistry),
    Template("GET", "/v1/channel-registration/sub-key/{sub}/channel-group", Is(Op::ListGroups), ChannelRegistry),
    Template("GET", "/v2/objects/{sub}/uuids/{uuid}", Is(Op::GetUser), Objects),
    Template("PATCH", "/v2/objects/{sub}/uuids/{uuid}", Is(Op::SetUser), Objects),
    Template("DELETE", "/v2/objects/{sub}/uuids/{uuid}", Is(Op::RemoveUser), Objects),
    Template("GET", "/v2/objects/{sub}/uuids", Is(Op::ListUsers), Objects),
    Template("GET", "/v2/objects/{sub}/channels/{channel}", Is(Op::GetChannel), Objects),
    Template("PATCH", "/v2/objects/{sub}/channels/{channel}", Is(Op::SetChannel), Objects),
    Template("DELETE", "/v2/objects/{sub}/channels/{channel}", Is(Op::RemoveChannel), Objects),
    Template("GET", "/v2/objects/{sub}/channels", Is(Op::ListChannels), Objects),
    Template("GET", "/v2/objects/{sub}/channels/{channel}/uuids", Is(Op::GetMembers), Objects),
    Template("PATCH", "/v2/objects/{sub}/channels/{channel}/uuids", Members, Objects),
    Template("GET", "/v2/objects/{sub}/uuids/{uuid}/channels", Is(Op::GetMemberships), Objects),
    Template("PATCH", "/v2/objects/{sub}/uuids/{uuid}/channels", Memberships, Objects),
    Template("GET", "/v1/push/sub-key/{sub}/devices/{other}", PushChannels, Push),
    Template("GET", "/v1/push/sub-key/{sub}/devices/{other}/remove", Is(Op::RemovePushDevice), Push),
    Template("GET", "/v2/push/sub-key/{sub}/devices-apns2/{other}", PushChannels, Push),
    Template("GET", "/v2/push/sub-key/{sub}/devices-apns2/{other}/remove", Is(Op::RemovePushDevice), Push),
    Template("GET", "/time/0", Is(Op::Time), AccessManager),
    Template("GET", "/v2/auth/grant/sub-key/{sub}", Legacy, AccessManager),
    Template("GET", "/v2/auth/audit/sub-key/{sub}", Legacy, AccessManager),
    Template("GET", "/v1/datasync/subkeys/{sub}/{collection}", Is(Op::DataSyncList), DataSync),
    Template("POST", "/v1/datasync/subkeys/{sub}/{collection}", Create, DataSync),
    Template("GET", "/v1/datasync/subkeys/{sub}/{collection}/{record}", Is(Op::DataSyncGet), DataSync),
    Template("PUT", "/v1/datasync/subkeys/{sub}/{collection}/{record}", Is(Op::DataSyncUpdate), DataSync),
    Template("PATCH", "/v1/datasync/subkeys/{sub}/{collection}/{record}", Is(Op::DataSyncUpdate), DataSync),
    Template("DELETE", "/v1/datasync/subkeys/{sub}/{collection}/{record}", Is(Op::DataSyncDelete), DataSync),
];

impl Operation {
    /// The requests that are this operation: method, and path with `{sub}` and
    /// the like in place of what varies; `sub?key` is `sub-key` or `sub_key`.
    /// Where one request can be several operations, query or body decide.
    pub fn requests(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        TEMPLATES
            .iter()
            .filter(move |Template(_, _, action, _)| action.operations().contains(&self))
            .map(|Template(method, path, _, _)| (*method, *path))
    }
}

/// A row, ready for use.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) action: Action,
    pub(crate) family: Family,
    pub(crate) segments: Vec<Segment>,
}

struct Router {
    rows: Vec<Row>,
    automaton: dense::DFA<Vec<u32>>,
}

/// Built at the first request. `None` would mean that the table itself is
/// wrong; then nothing is classified and everything is refused.
static ROUTER: LazyLock<Option<Router>> = LazyLock::new(Router::build);

/// The one row of a method and a path, if there is exactly one.
pub(crate) fn find(method: &str, path: &str) -> Option<&'static Row> {
    ROUTER.as_ref()?.find(method, path)
}

/// The table from a place in a request line on: what can follow there. For
/// whoever compares the table with other rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct After(StateID);

impl After {
    /// After a method and the blank.
    pub(crate) fn method(method: &str) -> Option<Self> {
        let router = ROUTER.as_ref()?;
        let start = Start::new().anchored(Anchored::Yes);
        let start = router.automaton.start_state(&start).ok()?;
        let line = [method, " "].concat();
        line.bytes().try_fold(Self(start), Self::byte)
    }

    /// After one more byte; `None` when no row goes on with it.
    pub(crate) fn byte(self, byte: u8) -> Option<Self> {
        let automaton = &ROUTER.as_ref()?.automaton;
        let next = automaton.next_state(self.0, byte);
        (!automaton.is_dead_state(next)).then_some(Self(next))
    }

    /// Whether a row ends here.
    pub(crate) fn is_row(self) -> bool {
        ROUTER.as_ref().is_some_and(|router| {
            let end = router.automaton.next_eoi_state(self.0);
            router.automaton.is_match_state(end)
        })
    }
}

impl Router {
    fn build() -> Option<Self> {
        let mut rows = Vec::with_capacity(TEMPLATES.len());
        let mut expressions = Vec::with_capacity(TEMPLATES.len());
        for Template(method, path, action, family) in TEMPLATES {
            let mut segments = Vec::new();
            let mut expression = format!("{method} ");
            for text in path.split('/').skip(1) {
                let segment = Segment::of(text);
                expression.push('/');
                expression.push_str(&segment.expression(text));
                segments.push(segment);
            }
            expressions.push(expression);
            rows.push(Row {
                action: *action,
                family: *family,
                segments,
            });
        }
        let automaton = dense::Builder::new()
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .thompson(thompson::Config::new().utf8(false))
            .configure(
                dense::Config::new()
                    .match_kind(MatchKind::All)
                    .start_kind(StartKind::Anchored),
            )
            .build_many(&expressions)
            .ok()?;
        Some(Self { rows, automaton })
    }

    fn find(&self, method: &str, path: &str) -> Option<&Row> {
        let automaton = &self.automaton;
        let start = Start::new().anchored(Anchored::Yes);
        let mut state = automaton.start_state(&start).ok()?;
        for part in [method, " ", path] {
            for byte in part.bytes() {
                state = automaton.next_state(state, byte);
            }
            if automaton.is_dead_state(state) {
                return None;
            }
        }
        state = automaton.next_eoi_state(state);
        if !automaton.is_match_state(state) || automaton.match_len(state) != 1 {
            return None;
        }
        self.rows.get(automaton.match_pattern(state, 0).as_usize())
    }
}
