//! Real airlines, the airports that they fly from, and how far. Duffel's own sandbox airline ZZ flies
//! everywhere. Ids are Duffel's where they were recorded and drawn in the same style elsewhere.

use crate::chance;

/// An airline that sells seats in the simulated world.
#[derive(Debug)]
pub(crate) struct Airline {
    pub(crate) iata: &'static str,
    pub(crate) name: &'static str,
    hubs: &'static [&'static str],
    /// The longest flight, in kilometres.
    pub(crate) reach: u32,
}

impl Airline {
    /// Airports through which this airline connects passengers.
    pub(crate) fn hubs(&self) -> &'static [&'static str] {
        self.hubs
    }

    pub(crate) fn is_hub(&self, airport: &str) -> bool {
        self.hubs.contains(&airport)
    }

    /// Duffel's sandbox airline. It flies between any two airports, and its duration is the naive
    /// difference of the two local times (WIRE §1.1): a quirk of the real one that is kept.
    pub(crate) fn is_sandbox(&self) -> bool {
        self.iata == "ZZ"
    }

    /// Duffel's id of the airline.
    pub(crate) fn id(&self) -> String {
        match self.iata {
            "ZZ" => "arl_00009VME7D6ivUu8dn35WK".to_owned(),
            "AA" => "arl_00009VME7DAGiJjwomhv32".to_owned(),
            "QF" => "arl_00009VME7DD6Xm0axa2BU8".to_owned(),
            code => format!(
                "arl_00009VME7D{}",
                chance::base62(chance::draw(0, code), 12)
            ),
        }
    }
}

const fn airline(
    iata: &'static str,
    name: &'static str,
    reach: u32,
    hubs: &'static [&'static str],
) -> Airline {
    Airline {
        iata,
        name,
        hubs,
        reach,
    }
}

const ANYWHERE: u32 = 20_100;
const LONG: u32 = 14_500;
const SHORT: u32 = 4_500;

/// All airlines, in the order of their codes.
pub(crate) static AIRLINES: &[Airline] = &[
    airline(
        "AA",
        "American Airlines",
        LONG,
        &["JFK", "DFW", "MIA", "ORD", "CLT", "PHL", "LAX"],
    ),
    airline("AC", "Air Canada", LONG, &["YYZ", "YVR", "YUL"]),
    airline("AF", "Air France", LONG, &["CDG", "ORY"]),
    airline("AI", "Air India", LONG, &["DEL", "BOM"]),
    airline("AM", "Aeromexico", LONG, &["MEX"]),
    airline("AT", "Royal Air Maroc", LONG, &["CMN"]),
    airline("AV", "Avianca", LONG, &["BOG"]),
    airline("AY", "Finnair", LONG, &["HEL"]),
    airline("AZ", "ITA Airways", LONG, &["FCO"]),
    airline("B6", "JetBlue Airways", 6_500, &["JFK", "BOS", "FLL"]),
    airline("BA", "British Airways", LONG, &["LHR", "LGW", "LCY"]),
    airline("CA", "Air China", LONG, &["PEK"]),
    airline("CX", "Cathay Pacific", LONG, &["HKG"]),
    airline("CZ", "China Southern Airlines", LONG, &["CAN"]),
    airline(
        "DL",
        "Delta Air Lines",
        LONG,
        &["ATL", "JFK", "DTW", "MSP", "SLC", "BOS"],
    ),
    airline("EI", "Aer Lingus", LONG, &["DUB"]),
    airline("EK", "Emirates", LONG, &["DXB"]),
    airline("ET", "Ethiopian Airlines", LONG, &["ADD"]),
    airline("EY", "Etihad Airways", LONG, &["AUH"]),
    airline("FR", "Ryanair", SHORT, &["STN", "DUB", "BGY"]),
    airline("GA", "Garuda Indonesia", LONG, &["CGK"]),
    airline("IB", "Iberia", LONG, &["MAD"]),
    airline("JL", "Japan Airlines", LONG, &["HND", "NRT"]),
    airline("KE", "Korean Air", LONG, &["ICN"]),
    airline("KL", "KLM", LONG, &["AMS"]),
    airline("LA", "LATAM Airlines", LONG, &["GRU", "SCL"]),
    airline("LH", "Lufthansa", LONG, &["FRA", "MUC"]),
    airline("LX", "SWISS", LONG, &["ZRH"]),
    airline("MH", "Malaysia Airlines", LONG, &["KUL"]),
    airline("MK", "Air Mauritius", LONG, &["MRU"]),
    airline("MS", "Egyptair", LONG, &["CAI"]),
    airline("MU", "China Eastern Airlines", LONG, &["PVG"]),
    airline("NH", "All Nippon Airways", LONG, &["HND", "NRT"]),
    airline("NZ", "Air New Zealand", LONG, &["AKL"]),
    airline("OS", "Austrian Airlines", LONG, &["VIE"]),
    airline("QF", "Qantas", LONG, &["SYD", "MEL", "BNE"]),
    airline("QR", "Qatar Airways", LONG, &["DOH"]),
    airline("SA", "South African Airways", LONG, &["JNB"]),
    airline("SK", "SAS", LONG, &["CPH", "ARN", "OSL"]),
    airline("SQ", "Singapore Airlines", 16_000, &["SIN"]),
    airline("TG", "Thai Airways", LONG, &["BKK"]),
    airline("TK", "Turkish Airlines", LONG, &["IST"]),
    airline("TP", "TAP Air Portugal", LONG, &["LIS"]),
    airline("U2", "easyJet", SHORT, &["LGW", "LTN", "BRS", "MXP"]),
    airline(
        "UA",
        "United Airlines",
        LONG,
        &["EWR", "ORD", "IAD", "IAH", "DEN", "SFO"],
    ),
    airline("VN", "Vietnam Airlines", LONG, &["SGN", "HAN"]),
    airline("VS", "Virgin Atlantic", LONG, &["LHR", "MAN"]),
    airline("ZZ", "Duffel Airways", ANYWHERE, &[]),
];
