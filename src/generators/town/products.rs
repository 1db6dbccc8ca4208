//! What the shop sells: 200 products of invented makers, with prices that follow the stated distribution when weighted by popularity.

use crate::generators::random::{Dice, Weights, exp, ln, normal_quantile};

pub struct Category {
    pub name: &'static str,
    /// What payments call it.
    pub merchant: &'static str,
    pub makers: &'static [&'static str],
    pub nouns: &'static [&'static str],
    /// What posts about it are tagged with; the first is used most.
    pub hashtags: [&'static str; 3],
}

/// The first category sells at its own, higher price level and takes a quarter of the sales.
pub const ELECTRONICS: usize = 0;

/// Makers are invented; nouns are singular, so that sentences agree.
#[rustfmt::skip]
pub static CATEGORIES: [Category; 12] = [
    Category {
        name: "electronics",
        merchant: "electronics",
        makers: &["Talverin", "Oskuma", "Quarrowby", "Velmiro"],
        nouns: &[
            "headset", "tablet", "camera", "laptop", "monitor", "speaker", "watch", "router", "projector", "keyboard", "printer", "drone",
            "e-reader", "microphone", "scanner", "television", "soundbar", "phone", "amplifier", "radio",
        ],
        hashtags: ["gadgets", "desksetup", "techtalk"],
    },
    Category {
        name: "kitchen",
        merchant: "household",
        makers: &["Brindlow", "Sapperton", "Mellivar"],
        nouns: &["kettle", "blender", "toaster", "saucepan", "coffee grinder", "cutting board", "teapot", "rice cooker", "whisk", "casserole"],
        hashtags: ["cooking", "kitchenlife", "homemade"],
    },
    Category {
        name: "garden",
        merchant: "household",
        makers: &["Fernholt", "Oakumbel", "Tillowby"],
        nouns: &["watering can", "spade", "hedge trimmer", "greenhouse", "bird bath", "rake", "planter", "hammock", "bench", "compost bin"],
        hashtags: ["gardening", "growyourown", "balcony"],
    },
    Category {
        name: "books",
        merchant: "books",
        makers: &["Inkwold", "Pagerell", "Lanternby"],
        nouns: &["novel", "atlas", "cookbook", "sketchbook", "dictionary", "diary", "anthology", "field guide", "picture book", "biography"],
        hashtags: ["reading", "bookclub", "nowreading"],
    },
    Category {
        name: "toys",
        merchant: "toys",
        makers: &["Wobblin", "Kestrelyn", "Puddlemere"],
        nouns: &["puzzle", "kite", "train set", "board game", "teddy bear", "yo-yo", "marble run", "doll house", "spinning top", "card game"],
        hashtags: ["playtime", "gamenight", "puzzles"],
    },
    Category {
        name: "sports",
        merchant: "sports",
        makers: &["Strivaro", "Peltham", "Runeveld"],
        nouns: &["bicycle", "yoga mat", "tennis racket", "football", "rowing machine", "skipping rope", "helmet", "basketball", "dumbbell", "scooter"],
        hashtags: ["training", "morningrun", "teamsport"],
    },
    Category {
        name: "clothing",
        merchant: "clothing",
        makers: &["Hemlocke", "Woolverly", "Threnby"],
        nouns: &["raincoat", "jumper", "scarf", "backpack", "hat", "cardigan", "belt", "jacket", "shirt", "apron"],
        hashtags: ["style", "whatiwear", "wardrobe"],
    },
    Category {
        name: "personal-care",
        merchant: "pharmacy",
        makers: &["Lavenmoor", "Soapwyn", "Clarabel"],
        nouns: &["soap bar", "hair dryer", "toothbrush", "hand cream", "shampoo", "razor", "comb", "bath towel", "face mask", "mirror"],
        hashtags: ["selfcare", "eveningroutine", "wellness"],
    },
    Category {
        name: "home",
        merchant: "household",
        makers: &["Nestling", "Dovermoor", "Lampwick"],
        nouns: &["lamp", "armchair", "bookshelf", "rug", "duvet", "clock", "picture frame", "curtain", "candle holder", "side table"],
        hashtags: ["interiors", "cosyhome", "tidyhouse"],
    },
    Category {
        name: "music",
        merchant: "entertainment",
        makers: &["Fiddlestone", "Cadenzo", "Tremblay"],
        nouns: &["guitar", "ukulele", "drum kit", "violin", "harmonica", "music stand", "metronome", "piano stool", "flute", "record player"],
        hashtags: ["livemusic", "practice", "vinyl"],
    },
    Category {
        name: "outdoors",
        merchant: "sports",
        makers: &["Ridgemarrow", "Campwell", "Northfell"],
        nouns: &["tent", "sleeping bag", "rucksack", "torch", "camping stove", "water bottle", "compass", "canoe", "picnic blanket", "fishing rod"],
        hashtags: ["hiking", "camping", "weekendtrip"],
    },
    Category {
        name: "pets",
        merchant: "pets",
        makers: &["Whiskerly", "Barkham", "Pawsworth"],
        nouns: &["dog lead", "cat basket", "bird feeder", "food bowl", "scratching post", "aquarium", "dog bed", "hamster wheel", "cat flap", "brush"],
        hashtags: ["dogsofthetown", "catlife", "petcare"],
    },
];

pub struct Product {
    pub id: String,
    pub category: usize,
    pub maker: &'static str,
    pub noun: &'static str,
    pub price_cents: i64,
    /// Share of sales, within its price level, that are cheaper: in (0, 1).
    pub dearness: f64,
    /// How good it is, in (0, 1): decides how people write about it.
    pub quality: f64,
}

/// Products in order of popularity.
pub fn draw(dice: &mut Dice, popularity: &Weights) -> Vec<Product> {
    let categories = deal_categories(dice, popularity);
    let dearness = deal_dearness(dice, popularity, &categories);
    let mut numbers: Vec<usize> = (1..=popularity.count()).collect();
    dice.shuffle(&mut numbers);
    let mut names: Vec<Vec<(&'static str, &'static str)>> = CATEGORIES
        .iter()
        .map(|category| {
            let mut names: Vec<_> =
                category.nouns.iter().flat_map(|&noun| category.makers.iter().map(move |&maker| (maker, noun))).collect();
            dice.shuffle(&mut names);
            names
        })
        .collect();
    let mut products: Vec<Product> = numbers
        .iter()
        .zip(categories.iter().zip(&dearness))
        .map(|(number, (&category, &dearness))| {
            let (maker, noun) = names[category].pop().unwrap_or((CATEGORIES[category].makers[0], CATEGORIES[category].nouns[0]));
            let (median, spread) = if category == ELECTRONICS { (420.0, 0.6) } else { (45.0, 0.9) };
            Product {
                id: format!("p-{number:03}"),
                category,
                maker,
                noun,
                price_cents: price_tag(dice, exp(ln(median) + spread * normal_quantile(dearness))),
                dearness,
                quality: dice.unit(),
            }
        })
        .collect();
    mark_the_boundary(&mut products);
    products
}

/// Gives electronics a quarter of the sales, whatever the ranks, and spreads the rest over the other categories.
fn deal_categories(dice: &mut Dice, popularity: &Weights) -> Vec<usize> {
    let (mut electronics, mut total) = (0.0, 0.0);
    let mut others: Vec<usize> = Vec::new();
    (0..popularity.count())
        .map(|rank| {
            let share = popularity.share(rank);
            total += share;
            if electronics + share / 2.0 < 0.25 * total {
                electronics += share;
                return ELECTRONICS;
            }
            if others.is_empty() {
                others = (0..CATEGORIES.len()).filter(|&category| category != ELECTRONICS).collect();
                dice.shuffle(&mut others);
            }
            others.pop().unwrap_or(1)
        })
        .collect()
}

/// Lays the products of each price level side by side, each as wide as its sales. A product's dearness is where its middle comes
/// to lie; so prices weighted by sales follow the distribution for every seed. The most popular product ends where `dearer` of the
/// sales begin (for electronics that is at 500 dollars, so that no wide product straddles it); the rare ones make the tails.
fn deal_dearness(dice: &mut Dice, popularity: &Weights, categories: &[usize]) -> Vec<f64> {
    let mut dearness = vec![0.5; categories.len()];
    for (electronics, dearer) in [(true, 0.386), (false, 0.5)] {
        let ranks: Vec<usize> = (0..categories.len()).filter(|&rank| (categories[rank] == ELECTRONICS) == electronics).collect();
        let total: f64 = ranks.iter().map(|&rank| popularity.share(rank)).sum();
        let Some((&first, rest)) = ranks.split_first() else { continue };
        let cheaper = (1.0 - dearer - popularity.share(first) / total).max(0.05);
        let mut row = vec![first];
        let (mut left, mut right) = (0.0, 0.0);
        for &rank in rest {
            let share = popularity.share(rank) / total;
            // The side that is further from its goal gets the next one; chance decides near ties.
            if (left / cheaper) * dice.between(0.9, 1.1) < right / dearer {
                row.insert(0, rank);
                left += share;
            } else {
                row.push(rank);
                right += share;
            }
        }
        let mut below = 0.0;
        for rank in row {
            let share = popularity.share(rank) / total;
            dearness[rank] = below + share / 2.0;
            below += share;
        }
    }
    dearness
}

/// Rounds to what a price tag would say.
fn price_tag(dice: &mut Dice, dollars: f64) -> i64 {
    let whole = dollars.floor() as i64 * 100;
    let ending = *dice.pick(&[99, 95, 90, 50, 49, 0, 25]);
    (whole + ending).max(199)
}

/// One product costs exactly 500.00, as "more than 500" and "500 or more" must differ: the dearest below that is neither a
/// best-seller nor a rarity.
fn mark_the_boundary(products: &mut [Product]) {
    let ordinary = products.iter_mut().skip(12).take(60);
    let under = ordinary.filter(|product| product.category == ELECTRONICS && product.price_cents <= 50_000);
    if let Some(product) = under.max_by_key(|product| product.price_cents) {
        product.price_cents = 50_000;
    }
}
