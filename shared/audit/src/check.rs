//! Whether a stream of records is an unbroken log. Knows no database: the same judgement is passed on
//! records from a store and on records in memory.

use std::fmt;

use crate::record::GENESIS;
use crate::{AuditKey, Head, Row};

/// Where a log ends, by its own account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The last record's number; 0 for an empty log.
    pub seq: i64,
    /// The last record's hash; [`GENESIS`] for an empty log.
    pub hash: String,
}

/// The first thing that is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The sequence number of the first bad record, or of the first that is missing.
    pub index: u64,
    /// What is wrong there.
    pub why: Why,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The record does not fit its hash: it was changed, put in another place, or written with another
    /// key.
    Content,
    /// The record does not follow the one before.
    Link,
    /// No record has this number.
    Missing,
    /// Two records have this number, or it is none that a record can have.
    Extra,
    /// A record stands behind the log's end.
    AfterEnd,
    /// The log's own note of where it ends names another hash.
    End,
    /// A column holds something that is no value of it.
    Unreadable,
    /// The log ends before a record that was signed.
    Truncated,
    /// The record fits the chain, but another one was signed here: the log was cut off, and went on
    /// differently.
    Rewritten,
    /// The signed head of this record has a bad signature.
    HeadSignature,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = self.index;
        match self.why {
            Why::Content => write!(f, "record {index} was changed: it does not fit its hash"),
            Why::Link => write!(f, "record {index} does not follow the record before it"),
            Why::Missing => write!(f, "record {index} is missing"),
            Why::Extra => write!(f, "record {index} stands there twice or where none can be"),
            Why::AfterEnd => write!(f, "record {index} stands behind the end of the log"),
            Why::End => write!(
                f,
                "the end of the log was changed: it is not the hash of record {index}"
            ),
            Why::Unreadable => write!(f, "record {index} holds something that cannot be read"),
            Why::Truncated => write!(
                f,
                "the log was cut off: record {index} is missing, but a later one was signed"
            ),
            Why::Rewritten => write!(
                f,
                "the log was rewritten: record {index} is not the one that was signed"
            ),
            Why::HeadSignature => write!(
                f,
                "the signed head of record {index} has a signature that is not valid"
            ),
        }
    }
}

/// The verification of one log, record by record in the order of their numbers. Its memory does not
/// grow with the log.
#[derive(Debug)]
pub struct Check<'a> {
    key: &'a AuditKey,
    end: End,
    heads: std::iter::Peekable<std::slice::Iter<'a, Head>>,
    next: i64,
    previous: String,
}

impl<'a> Check<'a> {
    /// A check of a log that claims to end at `end`. `heads` are in the order of their numbers, as
    /// [`crate::Heads`] has them, and were read before `end` was.
    pub fn new(key: &'a AuditKey, heads: &'a [Head], end: End) -> Self {
        Self {
            key,
            end,
            heads: heads.iter().peekable(),
            next: 1,
            previous: GENESIS.to_owned(),
        }
    }

    /// The number that the next record must have.
    pub fn expected(&self) -> i64 {
        self.next
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// The [`Fault`]; the check is over.
    pub fn take(&mut self, row: &Row) -> Result<(), Fault> {
        if row.seq < self.next {
            return Err(fault(row.seq, Why::Extra));
        }
        if row.seq > self.next {
            return Err(match self.next > self.end.seq {
                true => self.behind(row.seq),
                false => fault(self.next, Why::Missing),
            });
        }
        if row.seq > self.end.seq {
            return Err(self.behind(row.seq));
        }
        if row.previous != self.previous {
            return Err(fault(row.seq, Why::Link));
        }
        if row.hash != row.expected_hash(self.key) {
            return Err(fault(row.seq, Why::Content));
        }
        while let Some(head) = self.heads.next_if(|head| head.seq <= row.seq) {
            // Of the newest the signature as well, which is what others go by.
            let newest = self.heads.peek().is_none();
            if !head.is_of(self.key) || (newest && !head.is_signed_by(self.key)) {
                return Err(fault(head.seq, Why::HeadSignature));
            }
            if head.seq != row.seq || head.hash != row.hash {
                return Err(fault(head.seq, Why::Rewritten));
            }
        }
        self.next = self.next.saturating_add(1);
        self.previous.clone_from(&row.hash);
        Ok(())
    }

    /// There are no more records.
    ///
    /// # Errors
    /// The [`Fault`].
    pub fn finish(mut self) -> Result<(), Fault> {
        if self.end.seq >= self.next {
            return Err(fault(self.next, Why::Missing));
        }
        if let Some(truncated) = self.cut_off() {
            return Err(truncated);
        }
        if self.end.seq != self.next.saturating_sub(1) || self.end.hash != self.previous {
            return Err(fault(self.next.saturating_sub(1), Why::End));
        }
        Ok(())
    }

    /// A record behind the end. If more was signed, the end was moved and what follows it is the fault;
    /// if not, the record does not belong there.
    fn behind(&mut self, seq: i64) -> Fault {
        match self.cut_off() {
            Some(Fault {
                why: Why::Truncated,
                ..
            }) if seq != self.next => fault(self.next, Why::Truncated),
            _ => fault(seq, Why::AfterEnd),
        }
    }

    /// What the heads say that lie behind the last record.
    fn cut_off(&mut self) -> Option<Fault> {
        let mut unsigned = None;
        for head in self.heads.by_ref() {
            if head.is_signed_by(self.key) {
                return Some(fault(self.next, Why::Truncated));
            }
            unsigned = unsigned.or(Some(fault(head.seq, Why::HeadSignature)));
        }
        unsigned
    }
}

fn fault(seq: i64, why: Why) -> Fault {
    let index = u64::try_from(seq).unwrap_or(0);
    Fault { index, why }
}
