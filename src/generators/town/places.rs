//! The countries that the town's people come from, and their money.

pub struct Country {
    /// ISO 3166 code.
    pub code: &'static str,
    pub currency: &'static str,
    /// Units of the currency for a US dollar, in ten-thousandths. Fixed: the town has no currency market.
    pub rate: i64,
    /// Whether amounts have hundredths.
    pub has_cents: bool,
    /// Share of the people. The smallest keeps more than 20 payments in five minutes, so that a spike there can be told from chance.
    pub weight: f64,
    /// The time at which its people do most, as a share of the day.
    pub evening: f64,
    pub cities: &'static [&'static str],
}

const fn country(
    code: &'static str,
    currency: &'static str,
    rate: i64,
    has_cents: bool,
    weight: f64,
    evening: f64,
    cities: &'static [&'static str],
) -> Country {
    Country { code, currency, rate, has_cents, weight, evening, cities }
}

pub static COUNTRIES: [Country; 12] = [
    country("US", "USD", 10_000, true, 18.0, 0.48, &["Austin", "Boston", "Chicago", "Denver", "Portland", "Seattle"]),
    country("GB", "GBP", 7_800, true, 12.0, 0.25, &["Bristol", "Leeds", "London", "Glasgow", "Cardiff"]),
    country("DE", "EUR", 9_200, true, 12.0, 0.21, &["Berlin", "Bremen", "Hamburg", "Leipzig", "Munich"]),
    country("FR", "EUR", 9_200, true, 10.0, 0.21, &["Lille", "Lyon", "Nantes", "Paris"]),
    country("BR", "BRL", 53_000, true, 8.0, 0.38, &["Curitiba", "Recife", "Salvador", "Santos"]),
    country("IN", "INR", 835_000, true, 8.0, 0.02, &["Chennai", "Kochi", "Mumbai", "Pune"]),
    country("JP", "JPY", 1_480_000, false, 7.0, 0.88, &["Kobe", "Nagoya", "Osaka", "Tokyo"]),
    country("ES", "EUR", 9_200, true, 6.0, 0.21, &["Bilbao", "Madrid", "Sevilla", "Valencia"]),
    country("PT", "EUR", 9_200, true, 5.0, 0.25, &["Braga", "Coimbra", "Lisbon", "Porto"]),
    country("FI", "EUR", 9_200, true, 5.0, 0.17, &["Espoo", "Helsinki", "Oulu", "Turku"]),
    country("SG", "SGD", 13_400, true, 4.5, 0.92, &["Singapore"]),
    country("AE", "AED", 36_700, true, 4.5, 0.08, &["Abu Dhabi", "Dubai", "Sharjah"]),
];
