//! The keys of a token as they stand in its bytes (docs/format.md 4), and the
//! order of names.

use core::cmp::Ordering;

use token_core::ResourceKind;

pub(crate) const VERSION: u64 = 2;
pub(crate) const V: &[u8; 2] = b"\x41v";
pub(crate) const T: &[u8; 2] = b"\x41t";
pub(crate) const TTL: &[u8; 4] = b"\x43ttl";
pub(crate) const RES: &[u8; 4] = b"\x43res";
pub(crate) const PAT: &[u8; 4] = b"\x43pat";
pub(crate) const META: &[u8; 5] = b"\x44meta";
pub(crate) const CAT: &[u8; 4] = b"\x43cat";
pub(crate) const UUID: &[u8; 5] = b"\x44uuid";
pub(crate) const PAR: &[u8; 4] = b"\x43par";
pub(crate) const KID: &[u8; 4] = b"\x43kid";
pub(crate) const SIG: &[u8; 4] = b"\x43sig";

pub(crate) const CHAN: &[u8; 5] = b"\x44chan";
pub(crate) const GRP: &[u8; 4] = b"\x43grp";
pub(crate) const SPC: &[u8; 4] = b"\x43spc";
pub(crate) const USR: &[u8; 4] = b"\x43usr";
pub(crate) const ENTITIES: &[u8; 18] = b"\x51datasync:entities";
pub(crate) const MEMBERSHIPS: &[u8; 21] = b"\x54datasync:memberships";
pub(crate) const RELATIONSHIPS: &[u8; 23] = b"\x56datasync:relationships";

/// `res` or `pat` without any entry, which nearly every `pat` is.
pub(crate) const EMPTY_SECTIONS: &[u8; 28] =
    b"\xA5\x44chan\xA0\x43grp\xA0\x43spc\xA0\x43usr\xA0\x44uuid\xA0";
/// What follows the channels when only they have entries.
pub(crate) const EMPTY_AFTER_CHAN: &[u8; 21] = b"\x43grp\xA0\x43spc\xA0\x43usr\xA0\x44uuid\xA0";

/// The bytes of the signature of the keyset's own key.
pub(crate) const MAC_BYTES: usize = 32;
/// The bytes of the signature of a key that `kid` names.
pub(crate) const LONG_SIGNATURE_BYTES: usize = 64;
/// Bytes of an ancestor id.
pub(crate) const ID_BYTES: usize = 16;

/// The key of the section of `kind`.
pub(crate) const fn section_key(kind: ResourceKind) -> &'static [u8] {
    match kind {
        ResourceKind::Channel => CHAN,
        ResourceKind::Group => GRP,
        ResourceKind::Space => SPC,
        ResourceKind::User => USR,
        ResourceKind::Uuid => UUID,
        ResourceKind::Entity => ENTITIES,
        ResourceKind::Membership => MEMBERSHIPS,
        ResourceKind::Relationship => RELATIONSHIPS,
    }
}

/// The order of two text keys by their encoded bytes (RFC 8949 section 4.2.1):
/// the shorter comes first, equally long ones compare byte by byte.
#[inline]
pub(crate) fn key_order(left: &[u8], right: &[u8]) -> Ordering {
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// The place of `kind` in arrays of one item per kind.
pub(crate) const fn of_kind<T: Copy>(items: &[T; 8], kind: ResourceKind) -> T {
    let [chan, grp, spc, usr, uuid, entity, membership, relationship] = *items;
    match kind {
        ResourceKind::Channel => chan,
        ResourceKind::Group => grp,
        ResourceKind::Space => spc,
        ResourceKind::User => usr,
        ResourceKind::Uuid => uuid,
        ResourceKind::Entity => entity,
        ResourceKind::Membership => membership,
        ResourceKind::Relationship => relationship,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_keys_are_the_byte_strings_of_the_table_of_kinds() {
        for kind in ResourceKind::ALL {
            let name = kind.cbor_key().as_bytes();
            let mut key = vec![0x40 | u8::try_from(name.len()).unwrap()];
            key.extend_from_slice(name);
            assert_eq!(section_key(kind), key, "{kind}");
        }
    }
}
