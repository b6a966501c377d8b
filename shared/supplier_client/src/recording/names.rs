//! Which names of JSON members, parameters and headers hold what must not be kept. Names are compared
//! without case, `_` and `-`: `given_name`, `givenName` and `Given-Name` are one.

/// What a value is to those who must not see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It proves who we are, in this call and in later ones: looked for in all that follows.
    Credential,
    /// It opens one thing or signs one call: looked for in its own exchange.
    Token,
    /// It is about a person: looked for, as whole words, in its own exchange.
    Personal,
    /// It is about a person, and a word that trips are made of: masked where it stands, looked for
    /// nowhere.
    Place,
}

const CREDENTIALS: [&str; 27] = [
    "authorization",
    "proxyauthorization",
    "cookie",
    "setcookie",
    "xsignature",
    "secret",
    "clientid",
    "clientsecret",
    "sharedsecret",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "securitytoken",
    "assertion",
    "clientassertion",
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "apikey",
    "apisecret",
    "keyid",
    "privatekey",
    "encryptionkey",
    "username",
    "jwt",
    "bearer",
];
const CREDENTIAL_ENDS: [&str; 5] = [
    "apikey",
    "secret",
    "password",
    "authorization",
    "privatekey",
];
const TOKENS: [&str; 5] = ["sig", "signature", "sessionid", "otp", "pin"];
const TOKEN_ENDS: [&str; 2] = ["token", "signature"];

/// Names that speak of a person wherever they stand.
const PERSONAL: [&str; 54] = [
    "accountnumber",
    "addresseename",
    "birthdate",
    "birthday",
    "bornon",
    "cardholder",
    "cardholdername",
    "cardnumber",
    "contactname",
    "contactnumber",
    "csc",
    "cvc",
    "cvv",
    "cvv2",
    "dateofbirth",
    "dob",
    "documentnumber",
    "driverlicense",
    "drivername",
    "driverslicense",
    "drivinglicence",
    "familyname",
    "fax",
    "firstname",
    "flyernumber",
    "frequentflyernumber",
    "fullname",
    "givenname",
    "givennames",
    "guestname",
    "holdername",
    "iban",
    "identitynumber",
    "knowntravelernumber",
    "lastname",
    "licensenumber",
    "loyaltyid",
    "loyaltynumber",
    "maidenname",
    "membershipid",
    "membershipnumber",
    "middlename",
    "mobile",
    "mobilenumber",
    "nameoncard",
    "nationalid",
    "passengername",
    "passport",
    "passportnumber",
    "preferredname",
    "redressnumber",
    "secondlastname",
    "securitycode",
    "surname",
];
const PERSONAL_ENDS: [&str; 7] = [
    "phone",
    "phones",
    "phonenumber",
    "phonenumbers",
    "telephone",
    "surname",
    "birthdate",
];

/// Members that hold a person: what is merely a `name` elsewhere is a person's inside them.
const PEOPLE: [&str; 31] = [
    "adult",
    "billingcontact",
    "cardholder",
    "child",
    "contact",
    "contacts",
    "customer",
    "customers",
    "driver",
    "drivers",
    "emergencycontact",
    "guest",
    "guests",
    "holder",
    "insured",
    "leadguest",
    "leadpassenger",
    "mainguest",
    "passenger",
    "passengers",
    "pax",
    "paxes",
    "person",
    "persons",
    "policyholder",
    "recipient",
    "stakeholder",
    "traveler",
    "travelers",
    "traveller",
    "travellers",
];
/// Members of [`PEOPLE`] that say who it is.
const OF_PEOPLE: [&str; 6] = ["name", "names", "first", "last", "middle", "initials"];
/// Members that hold an identity document.
const DOCUMENTS: [&str; 6] = [
    "documents",
    "document",
    "identitydocuments",
    "identitydocument",
    "passport",
    "passports",
];
/// Those among them that hold nothing else.
const IDENTITY: [&str; 2] = ["identitydocuments", "identitydocument"];
/// Members that hold a payment card.
const CARDS: [&str; 7] = [
    "card",
    "cards",
    "creditcard",
    "creditcards",
    "paymentcard",
    "paymentcardinfo",
    "virtualcreditcard",
];

fn plain(name: &str) -> String {
    name.chars()
        .filter(|letter| letter.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// What a value of this name is. `around` are the names of the members that hold it, from the outermost.
pub(super) fn kind_of(name: &str, around: &[&str]) -> Option<Kind> {
    let name = plain(name);
    let is = |names: &[&str]| names.contains(&name.as_str());
    let ends = |names: &[&str]| names.iter().any(|end| name.ends_with(end));
    if is(&CREDENTIALS) || ends(&CREDENTIAL_ENDS) {
        return Some(Kind::Credential);
    }
    if is(&TOKENS) || ends(&TOKEN_ENDS) {
        return Some(Kind::Token);
    }
    // `email_type`, `requires_email` and the like hold no address; one in any text is found as such.
    if is(&PERSONAL) || ends(&PERSONAL_ENDS) || name.ends_with("email") || name == "emailaddress" {
        return Some(Kind::Personal);
    }
    if matches!(name.as_str(), "birthplace" | "placeofbirth") {
        return Some(Kind::Place);
    }
    let around: Vec<String> = around.iter().map(|name| plain(name)).collect();
    let inside = |names: &[&str]| around.iter().any(|name| names.contains(&name.as_str()));
    let directly = |names: &[&str]| {
        let last = around.last().map(String::as_str);
        last.is_some_and(|last| names.contains(&last))
    };
    let phone = around
        .last()
        .is_some_and(|last| last.contains("phone") || last.contains("mobile") || last == "fax");
    let email = around.last().is_some_and(|last| last.contains("email"));
    let number = matches!(name.as_str(), "number" | "areacode" | "value");
    let personal = (directly(&PEOPLE) && is(&OF_PEOPLE))
        || (phone && number)
        || (email && matches!(name.as_str(), "address" | "value"))
        || (directly(&DOCUMENTS) && (name == "number" || of_a_term(&name)))
        || (name.starts_with("passport") && of_a_term(&name))
        // Duffel calls tickets `documents`, and theirs are ids.
        || (directly(&IDENTITY) && name == "uniqueidentifier")
        || (directly(&CARDS) && matches!(name.as_str(), "number" | "holder" | "pan"))
        || (inside(&PEOPLE) && of_an_address(&name, &around));
    let city = matches!(name.as_str(), "city" | "cityname");
    if city && inside(&PEOPLE) && around.iter().any(|outer| outer.ends_with("address")) {
        return Some(Kind::Place);
    }
    personal.then_some(Kind::Personal)
}

/// Whether this says when a document was issued or expires: tickets state neither under such names, so
/// that within `documents` it is a person's.
fn of_a_term(name: &str) -> bool {
    [
        "expir",
        "issuancedate",
        "issuedate",
        "issuedon",
        "dateofissue",
        "validuntil",
    ]
    .iter()
    .any(|part| name.contains(part))
}

/// Whether this is the part of an address that leads to a door.
fn of_an_address(name: &str, around: &[String]) -> bool {
    let addressed = around.iter().any(|outer| outer.ends_with("address"));
    let part = name.starts_with("line")
        || name.starts_with("street")
        || matches!(
            name,
            "postalcode" | "postcode" | "zipcode" | "zip" | "postalbox"
        );
    (addressed && part) || name == "address" || name.starts_with("addressline")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_supplier_are_known_in_each_spelling() {
        for (path, kind) in [
            ("given_name", Kind::Personal),
            ("data.passengers.familyName", Kind::Personal),
            ("data.passengers.born_on", Kind::Personal),
            ("data.travelers.dateOfBirth", Kind::Personal),
            ("data.travelers.contact.phones.number", Kind::Personal),
            ("data.travelers.contact.address.lines", Kind::Personal),
            (
                "data.passengers.identity_documents.unique_identifier",
                Kind::Personal,
            ),
            ("data.travelers.documents.number", Kind::Personal),
            ("data.travelers.documents.expiryDate", Kind::Personal),
            ("data.travelers.documents.issuanceDate", Kind::Personal),
            (
                "data.passengers.identity_documents.expires_on",
                Kind::Personal,
            ),
            ("passport.expirationDate", Kind::Personal),
            ("passengers.passportExpiry", Kind::Personal),
            ("rooms.paxes.name", Kind::Personal),
            ("rooms.paxes.surname", Kind::Personal),
            ("holder.name", Kind::Personal),
            ("phone_number", Kind::Personal),
            ("from_email", Kind::Personal),
            ("payments.billing_contact.address.line_1", Kind::Personal),
            ("payments.card.number", Kind::Personal),
            ("security_code", Kind::Personal),
            ("client_secret", Kind::Credential),
            ("access_token", Kind::Credential),
            ("X-Api-Key", Kind::Credential),
            ("Proxy-Authorization", Kind::Credential),
            ("token", Kind::Token),
            ("pageToken", Kind::Token),
        ] {
            let mut around: Vec<&str> = path.split('.').collect();
            let name = around.pop().unwrap();
            assert_eq!(kind_of(name, &around), Some(kind), "{path}");
        }
    }

    #[test]
    fn what_a_trip_is_made_of_stays() {
        for path in [
            "data.id",
            "data.total_amount",
            "data.slices.departure_date",
            "data.owner.name",
            "hotel.name",
            "hotel.address.city",
            "data.documents.unique_identifier",
            "rooms.name",
            "data.passengers.id",
            "data.slices.segments.passengers.cabin.name",
            "data.passengers.type",
            "operating_carrier_flight_number",
            "data.slices.segments.number",
            "token_type",
            "expires_in",
            "clientReference",
            "affiliate_reference_id",
            "rateKey",
            "checkIn",
            "expiryDate",
            "data.expires_at",
            "data.documents.type",
            "offers.lastTicketingDate",
            "currency",
        ] {
            let mut around: Vec<&str> = path.split('.').collect();
            let name = around.pop().unwrap();
            assert_eq!(kind_of(name, &around), None, "{path}");
        }
    }
}
