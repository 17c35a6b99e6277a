//! The decision: default deny.

use std::collections::BTreeSet;

use token_core::limits::{ANCESTORS_MAX, ISSUED_AHEAD_SECONDS_MAX};
use token_core::{
    Category, Permissions, ResourceKind, Revocations, Standing, Subject, TokenId, UnixSeconds,
    VerifiedClaims,
};

use crate::held::{Held, missing_on_all};
use crate::request::{ListMode, Request};
use crate::requirement::{Need, Requirement};
use crate::response::{Missing, Reason, Response, Wanted};

/// Whether `token` allows `request` at `now`.
///
/// In this order, and the first that fails is the reason: the token is of the
/// keyset, Access Manager is on, the token is not from the future, it has not
/// expired, it stands well with `revocations`, the caller is who it is bound
/// to, and everything that the operation requires is granted. All or nothing:
/// [`Response::missing`] then names every permission that is missing.
///
/// An allowed request whose names are granted by exact entries or by simple
/// patterns allocates nothing. Other patterns are compiled, unless the request
/// [shares](Request::sharing) what earlier decisions compiled.
#[must_use]
pub fn authorize<'r, T: VerifiedClaims>(
    token: &T,
    request: &Request<'r>,
    now: UnixSeconds,
    revocations: &impl Revocations,
) -> Response<'r> {
    match check_token(token, request, now, revocations) {
        Err(reason) => Response::deny(reason),
        Ok(()) => check_requirement(token, request),
    }
}

/// Whether `request` is allowed without a token: only what is public.
#[must_use]
pub const fn authorize_anonymous<'r>(request: &Request<'r>) -> Response<'r> {
    if !request.keyset.access_manager {
        return Response::deny(Reason::AccessManagerDisabled);
    }
    match request.asked.requirement() {
        Requirement::Public => Response::allow(),
        Requirement::SecretKey => Response::deny(Reason::SecretKeyRequired),
        Requirement::Token
        | Requirement::Listing(_)
        | Requirement::Names(_)
        | Requirement::Each(_)
        | Requirement::Customer(_)
        | Requirement::Collection(_)
        | Requirement::Record(_)
        | Requirement::NewRecord(_) => Response::deny(Reason::TokenRequired),
    }
}

/// Whether the token is good for anything in this request.
fn check_token<T: VerifiedClaims>(
    token: &T,
    request: &Request<'_>,
    now: UnixSeconds,
    revocations: &impl Revocations,
) -> Result<(), Reason> {
    let keyset = &request.keyset;
    if keyset.scope_of(token.kind()) != Some(token.scope()) {
        return Err(Reason::WrongKeyset);
    }
    if !keyset.access_manager {
        return Err(Reason::AccessManagerDisabled);
    }
    let uuid = token.uuid();
    in_force(token, now, revocations)?;
    match uuid {
        None if request.caller_is_token && !is_public(request) => Err(Reason::UuidRequired),
        Some(bound) if !request.caller_is_token && request.uuid != Some(bound) => {
            Err(Reason::UuidMismatch)
        }
        _ => Ok(()),
    }
}

/// Whether `token` is in force at `now`: not from the future, not expired, and in
/// good standing with `revocations`. What it grants, and for which keyset, is
/// not looked at: that is [`authorize`]. For answers that are held for longer
/// than a decision takes, and for whoever asks about a token alone.
///
/// # Errors
///
/// The [`Reason`] for which everything is denied to it.
pub fn in_force<T: VerifiedClaims>(
    token: &T,
    now: UnixSeconds,
    revocations: &impl Revocations,
) -> Result<(), Reason> {
    let issued_at = token.issued_at();
    if issued_at > now.saturating_add(ISSUED_AHEAD_SECONDS_MAX) {
        let seconds_ahead = issued_at.seconds_since(now);
        return Err(Reason::NotYetValid { seconds_ahead });
    }
    let seconds_ago = now.seconds_since(token.expires_at());
    if now >= token.expires_at() {
        return Err(Reason::Expired { seconds_ago });
    }
    match standing(token, revocations)? {
        Standing::Good => Ok(()),
        Standing::Revoked { by, at } => Err(Reason::Revoked { by, at }),
        Standing::Expired => Err(Reason::Expired { seconds_ago }),
        Standing::Stale => Err(Reason::StaleDenyList),
        Standing::Behind => Err(Reason::Behind),
    }
}

const fn is_public(request: &Request<'_>) -> bool {
    matches!(request.asked.requirement(), Requirement::Public)
}

fn standing<T: VerifiedClaims>(
    token: &T,
    revocations: &impl Revocations,
) -> Result<Standing, Reason> {
    let mut ancestors = [TokenId([0; 16]); ANCESTORS_MAX];
    let mut known = 0_usize;
    for ancestor in token.ancestors() {
        *ancestors.get_mut(known).ok_or(Reason::InvalidToken)? = ancestor;
        known = known.saturating_add(1);
    }
    Ok(revocations.standing(&Subject {
        kind: token.kind(),
        scope: token.scope(),
        id: token.id(),
        ancestors: ancestors.get(..known).unwrap_or(&ancestors),
        uuid: token.revoked_as(),
        issued_at: token.issued_at(),
        expires_at: token.expires_at(),
    }))
}

/// Whether a good token grants what the operation requires.
fn check_requirement<'r, T: VerifiedClaims>(token: &T, request: &Request<'r>) -> Response<'r> {
    match request.asked.requirement() {
        Requirement::Public | Requirement::Token => Response::allow(),
        Requirement::SecretKey => Response::deny(Reason::SecretKeyRequired),
        Requirement::Listing(category) => check_listing(token, request, category),
        Requirement::Names(needs) => check_names(token, request, needs),
        Requirement::Each([]) => Response::deny(Reason::TargetRequired),
        Requirement::Each(needed) if needed.len() != request.targets.names().len() => {
            Response::deny(Reason::TargetUnexpected)
        }
        Requirement::Each(_) => check_each(token, request),
        Requirement::Customer(needed) => check_customer(token, needed),
        Requirement::Collection(permission) => {
            if !request.targets.names().is_empty() {
                return Response::deny(Reason::TargetUnexpected);
            }
            check_collection(token, request, permission.into())
        }
        Requirement::NewRecord(permission) if request.targets.names().is_empty() => {
            check_collection(token, request, permission.into())
        }
        Requirement::Record(_) | Requirement::NewRecord(_) => check_record(token, request),
    }
}

fn check_listing<'r, T: VerifiedClaims>(
    token: &T,
    request: &Request<'r>,
    category: Category,
) -> Response<'r> {
    let mode = match category {
        Category::Channels => request.keyset.list_channels,
        Category::Uuids => request.keyset.list_users,
    };
    match mode {
        ListMode::Off => Response::deny(Reason::SecretKeyRequired),
        ListMode::Open => Response::allow(),
        ListMode::Granted if token.category(category) => Response::allow(),
        ListMode::Granted => Response::lacking(vec![Missing {
            wanted: Wanted::Category(category),
            permissions: Category::PERMISSIONS,
        }]),
    }
}

fn check_names<'r, T: VerifiedClaims>(
    token: &T,
    request: &Request<'r>,
    needs: &[Need],
) -> Response<'r> {
    let names = request.targets.names();
    let named = |need: &Need| names.iter().any(|target| target.kind == need.kind);
    if names.is_empty() || needs.iter().any(|need| need.required && !named(need)) {
        return Response::deny(Reason::TargetRequired);
    }
    check_each(token, request)
}

fn check_record<'r, T: VerifiedClaims>(token: &T, request: &Request<'r>) -> Response<'r> {
    match request.record_kind() {
        None => Response::deny(Reason::TargetRequired),
        Some(kind) if !is_record(kind) => Response::deny(Reason::TargetUnexpected),
        Some(_) => check_each(token, request),
    }
}

/// Every one of them; none implies another (oem 2).
fn check_customer<'r, T: VerifiedClaims>(token: &T, needed: &'r [Box<str>]) -> Response<'r> {
    if needed.is_empty() {
        return Response::deny(Reason::TargetRequired);
    }
    let lacking = needed
        .iter()
        .filter(|permission| !token.customer_permission(permission));
    let missing: Vec<_> = lacking
        .map(|permission| Missing {
            wanted: Wanted::Customer(permission),
            permissions: Permissions::NONE,
        })
        .collect();
    if missing.is_empty() {
        Response::allow()
    } else {
        Response::lacking(missing)
    }
}

/// Every name of the request, each with what its kind needs.
fn check_each<'r, T: VerifiedClaims>(token: &T, request: &Request<'r>) -> Response<'r> {
    let mut held = Held::of(token, request.patterns);
    let mut missing = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, target) in request.targets.names().iter().enumerate() {
        let Some(needed) = request.needed_on(index, target.kind) else {
            return Response::deny(Reason::TargetUnexpected);
        };
        let permissions = held.missing(target.kind, &target.name, needed);
        let wanted = Wanted::Name {
            kind: target.kind,
            name: &target.name,
        };
        if permissions.is_empty() {
            continue;
        }
        if seen.insert(wanted) {
            missing.push(Missing {
                wanted,
                permissions,
            });
        } else if let Some(known) = missing.iter_mut().find(|known| known.wanted == wanted) {
            known.permissions |= permissions;
        }
    }
    if missing.is_empty() {
        Response::allow()
    } else {
        Response::lacking(missing)
    }
}

fn check_collection<'r, T: VerifiedClaims>(
    token: &T,
    request: &Request<'r>,
    needed: Permissions,
) -> Response<'r> {
    let Some(kind) = request.targets.collection() else {
        return Response::deny(Reason::TargetRequired);
    };
    if !is_record(kind) {
        return Response::deny(Reason::TargetUnexpected);
    }
    let permissions = missing_on_all(token, kind, needed);
    if permissions.is_empty() {
        return Response::allow();
    }
    Response::lacking(vec![Missing {
        wanted: Wanted::Collection(kind),
        permissions,
    }])
}

/// Whether DataSync has a collection of this kind (contract 10.4).
const fn is_record(kind: ResourceKind) -> bool {
    match kind {
        ResourceKind::Entity
        | ResourceKind::Relationship
        | ResourceKind::Membership
        | ResourceKind::User
        | ResourceKind::Channel => true,
        ResourceKind::Group | ResourceKind::Space | ResourceKind::Uuid => false,
    }
}
