//! What a request is worth when not all can be served.

/// The classes of requests, the least important first: when there is not enough for all, they are
/// refused in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Nobody waits for it: polling, prefetching, reports.
    Background,
    /// A search: there are many, and each can be made again.
    Search,
    /// A person reads what is theirs.
    Interactive,
    /// It pays, books or cancels.
    Money,
}

impl Class {
    /// All, in their order.
    pub const ALL: [Self; 4] = [
        Self::Background,
        Self::Search,
        Self::Interactive,
        Self::Money,
    ];

    /// The label in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Background => "background",
            Self::Search => "search",
            Self::Interactive => "interactive",
            Self::Money => "money",
        }
    }
}

/// Something of each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerClass<T> {
    /// Of [`Class::Background`].
    pub background: T,
    /// Of [`Class::Search`].
    pub search: T,
    /// Of [`Class::Interactive`].
    pub interactive: T,
    /// Of [`Class::Money`].
    pub money: T,
}

impl<T> PerClass<T> {
    /// What `of` says of each class.
    pub fn new(of: impl Fn(Class) -> T) -> Self {
        Self {
            background: of(Class::Background),
            search: of(Class::Search),
            interactive: of(Class::Interactive),
            money: of(Class::Money),
        }
    }

    /// That of one class.
    pub fn get(&self, class: Class) -> &T {
        match class {
            Class::Background => &self.background,
            Class::Search => &self.search,
            Class::Interactive => &self.interactive,
            Class::Money => &self.money,
        }
    }

    pub(crate) fn get_mut(&mut self, class: Class) -> &mut T {
        match class {
            Class::Background => &mut self.background,
            Class::Search => &mut self.search,
            Class::Interactive => &mut self.interactive,
            Class::Money => &mut self.money,
        }
    }
}
