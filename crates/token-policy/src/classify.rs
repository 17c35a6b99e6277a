//! From a method and a request target to what is asked for.

use std::borrow::Cow;

use token_core::{Permissions, ResourceKind, check_request_uuid};

use crate::body;
use crate::error::ClassifyError;
use crate::operation::Operation;
use crate::query::{self, Query};
use crate::request::{Asked, Keyset, Request, Target, Targets, check_targets};
use crate::requirement::Requirement;
use crate::route::{self, Action, Family, Row, Segment};
use crate::target::{
    RawTarget, check_dots, check_key, check_name, check_segment, decode, decode_name,
};

/// What a request asks for, read from its line (and its body, where that
/// matters). Borrows from the line wherever nothing had to be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Classified<'a> {
    /// The API family, which says what a denial looks like.
    pub family: Family,
    /// The subscribe key of the path. Only `time` has none.
    pub subscribe_key: Option<&'a str>,
    /// The account whose tokens are good for it, in place of a keyset's: what a
    /// rule file of an account says.
    pub account: Option<&'a str>,
    /// The publish key of the path, if that has one. It must belong to the
    /// subscribe key: the caller checks.
    pub publish_key: Option<&'a str>,
    /// The parameter `uuid`: who the caller says that it is.
    pub uuid: Option<Cow<'a, str>>,
    /// The parameter `auth`: the token, not looked at. Secret.
    pub token: Option<Token<'a>>,
    /// The parameter `signature`, not looked at. Secret.
    pub signature: Option<Token<'a>>,
    /// The parameter `timestamp`, not looked at.
    pub timestamp: Option<Cow<'a, str>>,
    /// Whether the caller is whoever the token is bound to.
    pub caller_is_token: bool,
    /// The header in which the upstream learns the uuid of the token, when the
    /// caller is whoever the token is bound to. What the client sent under this
    /// name must never reach the upstream.
    pub uuid_header: Option<&'a str>,
    /// Whether the connection may be upgraded.
    pub upgrade: bool,
    pub(crate) what: What<'a>,
    pub(crate) targets: Vec<Target<'a>>,
    pub(crate) collection: Option<ResourceKind>,
}

/// What was found in the table or in a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What<'a> {
    Operation(Operation),
    Rule {
        name: &'a str,
        access: Access,
        /// What is needed on each target.
        needed: Vec<Permissions>,
        /// What a customer needs.
        customer: &'a [Box<str>],
    },
}

/// Who may use a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Public,
    /// Any valid token.
    Token,
    /// Whoever holds what is needed.
    Needs,
    /// A customer that holds what is needed.
    Customer,
}

impl Classified<'_> {
    /// What is to be done.
    #[must_use]
    pub fn asked(&self) -> Asked<'_> {
        match &self.what {
            What::Operation(operation) => Asked::Operation(*operation),
            What::Rule {
                name,
                access,
                needed,
                customer,
            } => Asked::Rule {
                name,
                requirement: match access {
                    Access::Public => Requirement::Public,
                    Access::Token => Requirement::Token,
                    Access::Needs => Requirement::Each(needed),
                    Access::Customer => Requirement::Customer(customer),
                },
            },
        }
    }

    /// The names that the operation is to be done to.
    #[must_use]
    pub fn targets(&self) -> Targets<'_> {
        Targets::checked(&self.targets, self.collection)
    }

    /// The request to decide on.
    #[must_use]
    pub fn request<'r>(&'r self, keyset: Keyset<'r>) -> Request<'r> {
        let request = Request::new(keyset, self.asked(), self.targets());
        if self.caller_is_token {
            request.by_token()
        } else {
            request.by(self.uuid.as_deref())
        }
    }
}

/// A credential of a request. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token<'a>(pub(crate) Cow<'a, str>);

impl Token<'_> {
    /// The text, decoded once.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl core::fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Finds the operation of a request (contract sections 5 and 10.4).
///
/// `target` is the raw request target, path and query, as it stood on the
/// request line. `body` is the body, or `None` when it is not at hand; it is
/// read only for operations whose names are partly in it.
///
/// Names in the path are split at raw commas and then decoded, once; lists in
/// the query are decoded and then split. Whatever could be read in two ways is
/// refused.
///
/// # Errors
///
/// [`ClassifyError`]. A request with an error must be refused, never forwarded.
pub fn classify<'a>(
    method: &str,
    target: &'a str,
    body: Option<&[u8]>,
) -> Result<Classified<'a>, ClassifyError> {
    let raw = RawTarget::new(target)?;
    let row = route::find(method, raw.path).ok_or(ClassifyError::UnknownOperation)?;
    let path = Path::read(row, raw.path)?;
    let query = Query::read(raw.query)?;
    let mut targets = path.targets;
    let operation = match row.action {
        Action::Is(operation) => operation,
        Action::PublishOrFire if query.is_fire()? => Operation::Fire,
        Action::PublishOrFire => Operation::Publish,
        Action::GroupChannels => group_channels(&query)?,
        Action::PushChannels => push_channels(&query, &mut targets)?,
        Action::Members => members(body)?,
        Action::Memberships => memberships(body, &mut targets)?,
        Action::Create => create(body, path.collection, &mut targets)?,
        Action::Legacy => return Err(ClassifyError::LegacyAccessManager),
    };
    let takes_changes = matches!(row.action, Action::GroupChannels | Action::PushChannels);
    query.refuse_lists(path.takes_groups, takes_changes)?;
    if let Some(groups) = query.channel_group {
        query::names(groups, "`channel-group`", ResourceKind::Group, &mut targets)?;
    }
    check_targets(&targets).map_err(ClassifyError::Targets)?;
    Ok(Classified {
        family: row.family,
        subscribe_key: path.subscribe_key,
        account: None,
        publish_key: path.publish_key,
        uuid: query.uuid.map(caller).transpose()?,
        token: credential(query.auth, "`auth`")?,
        signature: credential(query.signature, "`signature`")?,
        timestamp: query
            .timestamp
            .map(|raw| decode(raw, "`timestamp`"))
            .transpose()?,
        caller_is_token: false,
        uuid_header: None,
        upgrade: false,
        what: What::Operation(operation),
        targets,
        collection: path.collection,
    })
}

fn caller(raw: &str) -> Result<Cow<'_, str>, ClassifyError> {
    let uuid = decode_name(raw, "`uuid`")?;
    check_request_uuid(&uuid).map_err(|cause| ClassifyError::Name {
        of: "`uuid`",
        cause,
    })?;
    Ok(uuid)
}

fn credential<'a>(
    raw: Option<&'a str>,
    of: &'static str,
) -> Result<Option<Token<'a>>, ClassifyError> {
    raw.map(|raw| decode(raw, of).map(Token)).transpose()
}

/// What the segments of a path say.
#[derive(Default)]
struct Path<'a> {
    subscribe_key: Option<&'a str>,
    publish_key: Option<&'a str>,
    targets: Vec<Target<'a>>,
    collection: Option<ResourceKind>,
    /// Whether groups may stand beside the channels of the path.
    takes_groups: bool,
}

impl<'a> Path<'a> {
    fn read(row: &Row, raw: &'a str) -> Result<Self, ClassifyError> {
        let mut path = Self::default();
        let segments = raw.split('/').skip(1);
        for (number, (segment, raw)) in (1..).zip(row.segments.iter().zip(segments)) {
            path.segment(*segment, raw, number)?;
        }
        Ok(path)
    }

    fn segment(
        &mut self,
        segment: Segment,
        raw: &'a str,
        number: usize,
    ) -> Result<(), ClassifyError> {
        use ResourceKind::{Channel, Group, Uuid};
        match segment {
            Segment::Literal => Ok(()),
            Segment::SubscribeKey => {
                self.subscribe_key = Some(check_key(raw)?);
                Ok(())
            }
            Segment::PublishKey => {
                self.publish_key = Some(check_key(raw)?);
                Ok(())
            }
            Segment::Channel => self.name(Channel, raw, number, "the channel of the path"),
            Segment::Group => self.name(Group, raw, number, "the group of the path"),
            Segment::Uuid => self.name(Uuid, raw, number, "the uuid of the path"),
            Segment::Channels => self.channels(raw, number),
            Segment::ChannelsOrNone => {
                self.takes_groups = true;
                self.channels(raw, number)
            }
            Segment::Collection => {
                self.collection = Some(collection(raw)?);
                Ok(())
            }
            Segment::Record => {
                let kind = self.collection.ok_or(ClassifyError::UnknownOperation)?;
                self.name(kind, raw, number, "the id of the path")
            }
            Segment::Other => {
                let value = decode_name(raw, "the path")?;
                check_name(&value, "the path")?;
                check_segment(&value, number)
            }
            Segment::FileName => check_segment(&decode(raw, "the file name of the path")?, number),
            Segment::Message => check_dots(raw, number),
        }
    }

    /// One name. A raw comma could be a part of it or a separator.
    fn name(
        &mut self,
        kind: ResourceKind,
        raw: &'a str,
        number: usize,
        of: &'static str,
    ) -> Result<(), ClassifyError> {
        if raw.contains(',') {
            return Err(ClassifyError::List { of });
        }
        let name = decode_name(raw, of)?;
        check_name(&name, of)?;
        check_segment(&name, number)?;
        self.targets.push(Target { kind, name });
        Ok(())
    }

    /// A list. Empty names are none, so that `,` is the empty list (contract 5).
    fn channels(&mut self, raw: &'a str, number: usize) -> Result<(), ClassifyError> {
        let mut names = raw.split(',').filter(|raw| !raw.is_empty());
        names.try_for_each(|raw| {
            self.name(ResourceKind::Channel, raw, number, "a channel of the path")
        })
    }
}

/// The kind of the records of a DataSync collection (contract 10.4).
fn collection(raw: &str) -> Result<ResourceKind, ClassifyError> {
    match raw {
        "entities" => Ok(ResourceKind::Entity),
        "relationships" => Ok(ResourceKind::Relationship),
        "memberships" => Ok(ResourceKind::Membership),
        "users" => Ok(ResourceKind::User),
        "channels" => Ok(ResourceKind::Channel),
        _ => Err(ClassifyError::UnknownOperation),
    }
}

/// The channels of `add` and `remove` are read, so that they are well formed,
/// and need nothing.
fn group_channels(query: &Query<'_>) -> Result<Operation, ClassifyError> {
    let mut unused = Vec::new();
    let operation = match (query.add, query.remove) {
        (Some(_), Some(_)) => {
            return Err(ClassifyError::ConflictingParameters {
                one: "add",
                other: "remove",
            });
        }
        (Some(_), None) => Operation::AddGroupChannels,
        (None, Some(_)) => Operation::RemoveGroupChannels,
        (None, None) => Operation::ListGroupChannels,
    };
    changed_channels(query, &mut unused)?;
    check_targets(&unused).map_err(ClassifyError::Targets)?;
    Ok(operation)
}

fn push_channels<'a>(
    query: &Query<'a>,
    targets: &mut Vec<Target<'a>>,
) -> Result<Operation, ClassifyError> {
    changed_channels(query, targets)?;
    Ok(match (query.add, query.remove) {
        (Some(_), _) => Operation::AddPushChannels,
        (None, Some(_)) => Operation::RemovePushChannels,
        (None, None) => Operation::ListPushChannels,
    })
}

fn changed_channels<'a>(
    query: &Query<'a>,
    targets: &mut Vec<Target<'a>>,
) -> Result<(), ClassifyError> {
    for (raw, of) in [(query.add, "`add`"), (query.remove, "`remove`")] {
        if let Some(raw) = raw {
            query::names(raw, of, ResourceKind::Channel, targets)?;
        }
    }
    Ok(())
}

fn members(body: Option<&[u8]>) -> Result<Operation, ClassifyError> {
    let changes = body::changes(body.ok_or(ClassifyError::BodyRequired)?, "uuid")?;
    Ok(if changes.sets {
        Operation::SetMembers
    } else {
        Operation::RemoveMembers
    })
}

fn memberships(
    body: Option<&[u8]>,
    targets: &mut Vec<Target<'_>>,
) -> Result<Operation, ClassifyError> {
    let changes = body::changes(body.ok_or(ClassifyError::BodyRequired)?, "channel")?;
    let channels = changes.ids.into_iter();
    targets.extend(channels.map(|id| Target::new(ResourceKind::Channel, id)));
    Ok(if changes.sets {
        Operation::SetMemberships
    } else {
        Operation::RemoveMemberships
    })
}

fn create(
    body: Option<&[u8]>,
    collection: Option<ResourceKind>,
    targets: &mut Vec<Target<'_>>,
) -> Result<Operation, ClassifyError> {
    let kind = collection.ok_or(ClassifyError::UnknownOperation)?;
    let body = body.ok_or(ClassifyError::BodyRequired)?;
    targets.extend(body::new_record(body, kind)?);
    Ok(Operation::DataSyncCreate)
}
