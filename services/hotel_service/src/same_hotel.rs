//! Which hotels of two suppliers are the same one. The rule: no further apart than 250 m, and the same
//! name, apart from case, accents, punctuation, the order of words, and words that every hotel's name
//! may have or lack. Two hotels that miss the rule are shown as two, which is only untidy; two that are
//! wrongly taken for one would put a traveller into the wrong house.

use travel_types::distance_km;

/// The farthest that two suppliers place one hotel apart, in kilometres.
const NEAR_KM: f64 = 0.25;

/// Words that do not tell hotels apart.
const EMPTY_WORDS: [&str; 17] = [
    "hotel", "hotels", "the", "a", "an", "and", "by", "at", "in", "of", "de", "la", "le", "el",
    "l", "der", "das",
];

/// A hotel as one supplier knows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sighting {
    pub(crate) supplier: String,
    pub(crate) code: String,
    words: Vec<String>,
    position: Option<(f64, f64)>,
}

impl Sighting {
    pub(crate) fn new(
        supplier: &str,
        code: &str,
        name: &str,
        position: Option<(f64, f64)>,
    ) -> Self {
        Self {
            supplier: supplier.to_owned(),
            code: code.to_owned(),
            words: words(name),
            position,
        }
    }

    /// Whether both suppliers mean one hotel. Two codes of one supplier never do.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let (Some(here), Some(there)) = (self.position, other.position) else {
            return false;
        };
        self.supplier != other.supplier
            && !self.words.is_empty()
            && self.words == other.words
            && distance_km(here, there) <= NEAR_KM
    }
}

/// The words of a name that tell hotels apart, in a fixed order, each once.
pub(crate) fn words(name: &str) -> Vec<String> {
    let plain: String = name
        .chars()
        .flat_map(char::to_lowercase)
        .map(fold)
        .collect();
    let mut words: Vec<String> = plain
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && !EMPTY_WORDS.contains(word))
        .map(str::to_owned)
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// A lower-case letter without its accent, for the letters of European names.
fn fold(letter: char) -> char {
    match letter {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'ď' | 'đ' => 'd',
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' => 'e',
        'ğ' => 'g',
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'ı' => 'i',
        'ł' => 'l',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ő' => 'o',
        'ř' => 'r',
        'ś' | 'š' | 'ş' | 'ș' => 's',
        'ť' | 'ţ' | 'ț' => 't',
        'ù' | 'ú' | 'û' | 'ü' | 'ū' | 'ů' | 'ű' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        // Apostrophes join: "L'Arc" and "L’Arc" are split alike.
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: (f64, f64) = (51.499_817, -0.160_167);
    const CLOSE: (f64, f64) = (51.500_2, -0.160_6);
    const AWAY: (f64, f64) = (51.503, -0.160_167);

    fn rapid(name: &str, at: (f64, f64)) -> Sighting {
        Sighting::new("rapid", "1", name, Some(at))
    }

    fn hotelbeds(name: &str, at: (f64, f64)) -> Sighting {
        Sighting::new("hotelbeds", "2", name, Some(at))
    }

    #[test]
    fn spelling_does_not_make_two_hotels_of_one() {
        for (one, other) in [
            (
                "Millennium  Hotel London Knightsbridge",
                "MILLENNIUM HOTEL LONDON KNIGHTSBRIDGE",
            ),
            ("Hôtel de l'Étoile", "Hotel L Etoile"),
            ("The Grand Palace Hotel", "Grand Palace"),
            ("Castello Di Velona, Resort", "Resort Castello di Velona"),
        ] {
            assert!(
                rapid(one, HERE).is(&hotelbeds(other, CLOSE)),
                "{one} / {other}"
            );
        }
    }

    #[test]
    fn neighbours_and_namesakes_stay_two_hotels() {
        let one = rapid("Hilton London Park Lane", HERE);
        assert!(!one.is(&hotelbeds("Hilton London Hyde Park", HERE)));
        assert!(!one.is(&hotelbeds("Hilton London Park Lane", AWAY)));
        assert!(!rapid("Hotel", HERE).is(&hotelbeds("The Hotel", HERE)));
        let nowhere = Sighting::new("hotelbeds", "2", "Hilton London Park Lane", None);
        assert!(!one.is(&nowhere));
        let twin = Sighting::new("rapid", "9", "Hilton London Park Lane", Some(HERE));
        assert!(!one.is(&twin), "one supplier's two codes are two hotels");
    }
}
