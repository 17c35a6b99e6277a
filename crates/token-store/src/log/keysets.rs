//! Which of two records of a keyset holds. Every node answers the same.

/// What a node holds of a keyset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held<'a> {
    pub(crate) version: u64,
    /// The record; `None` of a keyset that was deleted.
    pub(crate) content: Option<&'a [u8]>,
    /// Whether the log has shown this very record.
    pub(crate) in_log: bool,
}

/// What comes of a record that the log shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is taken.
    Take,
    /// It is what is held.
    Same,
    /// What is held stays.
    Keep,
    /// It is taken, and a change of somebody's with the same number is lost.
    TakeConflict,
    /// What is held stays, and the change that the log shows is lost.
    KeepConflict,
}

/// The highest version holds. Of two records with one version a tombstone
/// holds, else the one that the log shows first; records are shown in the
/// order of the log, so a held one that it has shown came first.
pub(crate) fn verdict(held: Option<Held<'_>>, version: u64, content: Option<&[u8]>) -> Verdict {
    let Some(held) = held else {
        return Verdict::Take;
    };
    if version != held.version {
        return if version > held.version {
            Verdict::Take
        } else {
            Verdict::Keep
        };
    }
    match (held.content, content) {
        (held, offered) if held == offered => Verdict::Same,
        (None, _) => Verdict::KeepConflict,
        (_, None) => Verdict::TakeConflict,
        _ if held.in_log => Verdict::KeepConflict,
        _ => Verdict::TakeConflict,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    struct Node {
        held: Option<(u64, Option<Vec<u8>>)>,
        in_log: bool,
    }

    type Offer = (u64, Option<Vec<u8>>);

    impl Node {
        fn see(&mut self, (version, content): &Offer) {
            let held = self.held.as_ref().map(|(version, content)| Held {
                version: *version,
                content: content.as_deref(),
                in_log: self.in_log,
            });
            match verdict(held, *version, content.as_deref()) {
                Verdict::Take | Verdict::TakeConflict => {
                    self.held = Some((*version, content.clone()));
                    self.in_log = true;
                }
                Verdict::Same => self.in_log = true,
                Verdict::Keep | Verdict::KeepConflict => {}
            }
        }
    }

    fn offers() -> impl Strategy<Value = Vec<Offer>> {
        let content = proptest::option::weighted(0.8, proptest::collection::vec(0..3_u8, 1..2));
        proptest::collection::vec((1..5_u64, content), 1..12)
    }

    /// The rule once more, on all records at once: the oracle.
    fn winner(log: &[Offer]) -> Offer {
        let top = log.iter().map(|(version, _)| *version).max().unwrap();
        let mut of_top = log.iter().filter(|(version, _)| *version == top);
        let deleted = of_top.clone().any(|(_, content)| content.is_none());
        if deleted {
            (top, None)
        } else {
            of_top.next().unwrap().clone()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Whatever nodes held before, and how often each begins anew, after
        /// one log they hold the same: what the rule says of all it shows.
        #[test]
        fn every_node_ends_with_the_same_record(
            log in offers(),
            own in proptest::collection::vec(proptest::option::of(0..12_usize), 1..4),
            cut in 0..12_usize,
        ) {
            let expected = Some(winner(&log));
            for own in own {
                // A change of its own, which comes to the log in its turn.
                let held = own.and_then(|at| log.get(at)).cloned();
                let mut node = Node { held, in_log: false };
                for offer in log.iter().take(cut) {
                    node.see(offer);
                }
                // Anew: what it holds then was shown or is still to come.
                node.in_log = false;
                for offer in &log {
                    node.see(offer);
                }
                prop_assert_eq!(&node.held, &expected);
                for offer in &log {
                    node.see(offer);
                }
                prop_assert_eq!(&node.held, &expected);
            }
        }
    }
}
