//! A question about a token, judged: the one way from what a request asks to
//! a decision, for checks, forward-auth and the gateway.

use std::sync::Arc;

use token_core::{TokenKind, VerifiedClaims as _};
use token_policy::{
    Asked, Classified, Reason, Request, Response, Targets, authorize, authorize_anonymous,
};
use token_store::Settings;
use tokio::sync::Semaphore;
use tokio::task::yield_now;

use crate::keyset::Prepared;
use crate::service::{AnyToken, Service, is_jws};

/// Who asks, for which keyset.
#[derive(Clone, Copy, Default)]
pub(crate) struct Asking<'a> {
    pub(crate) subscribe_key: Option<&'a str>,
    /// The account whose tokens are good, in place of a keyset's.
    pub(crate) account: Option<&'a str>,
    /// The publish key of the path: it must belong to the subscribe key.
    pub(crate) publish_key: Option<&'a str>,
    pub(crate) token: Option<&'a str>,
    pub(crate) uuid: Option<&'a str>,
    /// The caller is whoever the token is bound to.
    pub(crate) caller_is_token: bool,
    /// What the deny list must have reached.
    pub(crate) min_sequence: Option<&'a str>,
}

/// A value that stands beside the request line and in it, unequal.
#[derive(Debug)]
pub(crate) struct Contradiction;

impl<'a> Asking<'a> {
    /// Who asks in a request line.
    pub(crate) fn of(classified: &'a Classified<'_>) -> Self {
        Self {
            subscribe_key: classified.subscribe_key,
            account: classified.account,
            publish_key: classified.publish_key,
            token: classified.token.as_ref().map(token_policy::Token::as_str),
            uuid: classified.uuid.as_deref(),
            caller_is_token: classified.caller_is_token,
            min_sequence: None,
        }
    }

    /// The same with what is said beside the request line. Whatever is said in
    /// both places must be equal.
    pub(crate) fn with(self, beside: Self) -> Result<Self, Contradiction> {
        let agreed = |within: Option<&'a str>, beside: Option<&'a str>| match (within, beside) {
            (Some(a), Some(b)) if a != b => Err(Contradiction),
            (within, beside) => Ok(within.or(beside)),
        };
        if self.account.is_some() && beside.subscribe_key.is_some() {
            return Err(Contradiction);
        }
        Ok(Self {
            account: self.account,
            subscribe_key: agreed(self.subscribe_key, beside.subscribe_key)?,
            publish_key: agreed(self.publish_key, beside.publish_key)?,
            token: agreed(self.token, beside.token)?,
            uuid: agreed(self.uuid, beside.uuid)?,
            caller_is_token: self.caller_is_token || beside.caller_is_token,
            min_sequence: beside.min_sequence.or(self.min_sequence),
        })
    }
}

/// Why there is nothing to decide on: a denial all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undecided {
    /// No keyset has this subscribe key.
    UnknownKeyset,
    /// The publish key belongs to another keyset.
    ForeignPublishKey,
    /// The token is none of the keyset's.
    InvalidToken,
}

impl Undecided {
    /// The stable code.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::UnknownKeyset => "unknown_keyset",
            Self::ForeignPublishKey => Reason::WrongKeyset.code(),
            Self::InvalidToken => Reason::InvalidToken.code(),
        }
    }

    /// The text for people.
    pub(crate) fn message(self) -> String {
        match self {
            Self::UnknownKeyset => "no keyset has this subscribe key".to_owned(),
            Self::ForeignPublishKey => {
                "the publish key of the path belongs to another keyset".to_owned()
            }
            Self::InvalidToken => Reason::InvalidToken.to_string(),
        }
    }
}

/// The keyset or the account that is asked about and the token that was
/// presented, looked up. A decision borrows from it.
#[derive(Debug)]
pub(crate) struct Presented {
    keyset: Option<Arc<Prepared>>,
    account: Option<String>,
    /// The token, verified.
    pub(crate) token: Option<AnyToken>,
}

impl Presented {
    pub(crate) async fn of(service: &Service, asking: &Asking<'_>) -> Result<Self, Undecided> {
        if let Some(account) = asking.account {
            let token = asking.token.map(|text| verify(service, None, text));
            return Ok(Self {
                token: token.transpose()?,
                keyset: None,
                account: Some(account.to_owned()),
            });
        }
        let keyset = match (asking.subscribe_key, asking.token) {
            (Some(key), _) => service.keyset(key).ok_or(Undecided::UnknownKeyset)?,
            // Only `time` names no keyset: the token is good for its own.
            (None, Some(token)) => {
                let owner = owner_of(service, token).await;
                owner.ok_or(Undecided::InvalidToken)?
            }
            (None, None) => {
                return Ok(Self {
                    keyset: None,
                    account: None,
                    token: None,
                });
            }
        };
        if asking
            .publish_key
            .is_some_and(|key| key != keyset.publish_key())
        {
            return Err(Undecided::ForeignPublishKey);
        }
        let token = asking
            .token
            .map(|text| verify(service, Some(&keyset), text));
        Ok(Self {
            token: token.transpose()?,
            keyset: Some(keyset),
            account: None,
        })
    }

    /// What the decision knows of the keyset, and of the project that the token
    /// is of, if it is one of the keyset's.
    fn view(&self) -> token_policy::Keyset<'_> {
        let Some(keyset) = &self.keyset else {
            let mut view = token_policy::Keyset::new("");
            view.account = self.account.as_deref();
            return view;
        };
        let mut view = keyset.view();
        view.project = self
            .token
            .as_ref()
            .filter(|token| token.kind() == TokenKind::Crt)
            .map(|token| token.scope())
            .filter(|project| keyset.has_project(project));
        view
    }
}

/// A JWS is found by its own key; whether it is good for the keyset or the
/// account, the decision says.
fn verify(service: &Service, keyset: Option<&Prepared>, text: &str) -> Result<AnyToken, Undecided> {
    let token = if is_jws(text) {
        let token = service.verify_jws(text);
        token.map(|token| AnyToken::Jws(Arc::new(token)))
    } else {
        let token = keyset.and_then(|keyset| service.verify(text, keyset).ok());
        token.map(AnyToken::AccessManager)
    };
    token.ok_or(Undecided::InvalidToken)
}

/// The keyset that issued `token`. One such search runs at a time, and pauses:
/// with many keysets, strangers cost one core at most and hold up nobody else.
async fn owner_of(service: &Service, token: &str) -> Option<Arc<Prepared>> {
    static SEARCH: Semaphore = Semaphore::const_new(1);
    let _alone = SEARCH.acquire().await.ok()?;
    for keysets in service.keysets().chunks(KEYSETS_PER_PAUSE) {
        let mut keysets = keysets.iter();
        if let Some(owner) = keysets.find(|keyset| service.verify(token, keyset).is_ok()) {
            return Some(Arc::clone(owner));
        }
        yield_now().await;
    }
    None
}

/// How many keysets a search tries before others get a turn: some 20 us.
const KEYSETS_PER_PAUSE: usize = 64;

/// A decision and what it was made on.
pub(crate) struct Judged<'a> {
    pub(crate) request: Request<'a>,
    pub(crate) response: Response<'a>,
}

/// Decides on what is `asked`.
pub(crate) fn judge<'a>(
    service: &'a Service,
    presented: &'a Presented,
    asking: Asking<'a>,
    asked: Asked<'a>,
    targets: Targets<'a>,
) -> Judged<'a> {
    let mut request = Request::new(presented.view(), asked, targets)
        .by(asking.uuid)
        .sharing(service.patterns());
    if asking.caller_is_token {
        request = request.by_token();
    }
    let response = match &presented.token {
        Some(token) => {
            let settings = match &presented.keyset {
                Some(keyset) => keyset.settings(),
                None => &Settings::default(),
            };
            let deny_list = service.deny_list(settings, asking.min_sequence);
            authorize(token, &request, service.now(), &deny_list)
        }
        None => authorize_anonymous(&request),
    };
    Judged { request, response }
}
