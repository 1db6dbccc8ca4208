//! The parts of the grammar. Each list says what its words do in a sentence.

/// How somebody starts.
pub const OPENERS: &[&str] = &[
    "Honest report:", "Three weeks in,", "Small update:", "Quick note:", "Half a year later,", "Slightly late, but", "For the record,",
    "Day ten:", "In short,", "Not kidding:", "Weekend verdict:", "First impression:", "Second thoughts:", "To whom it helps:", "As promised,",
    "Since you asked,", "After much testing,", "All in all,", "Between us,", "Plainly put,", "Month two:", "A confession:", "For those who ask:",
    "Seen with my own eyes:", "Today I learned", "So it seems", "My two cents:", "Once more:", "Out of interest,", "Without exaggeration,", "Hand on heart,",
    "After the rain,", "Over breakfast,", "By popular request,", "Before I forget,", "A note to myself:", "Just in:", "On reflection,",
    "Long story short:", "Field report:",
];

pub const DETERMINERS: &[&str] = &[
    "my", "our", "the", "this", "their", "our new", "my old", "the little", "my second", "the big", "our shared", "the blue", "my trusty", "the latest",
    "our spare", "my first",
];

pub const ARTICLES: &[&str] = &["the", "this", "the little", "the big", "the latest", "the blue", "the green", "the new"];

pub const FROM: &[&str] = &["from", "by"];

pub const VERBS: &[&str] = &[
    "is", "turned out", "feels", "looks", "has been", "seems", "proved", "still is", "remains", "was", "became", "stays", "has become", "appears",
    "ended up", "always was",
];

pub const ADVERBS: &[&str] = &[
    "really", "quite", "surprisingly", "honestly", "remarkably", "rather", "unexpectedly", "truly", "pretty", "wholly", "oddly", "thoroughly",
    "clearly", "somehow", "consistently", "very", "undeniably", "unusually", "plainly", "simply", "decidedly", "strangely", "fairly",
];

pub const GLAD: &[&str] = &[
    "wonderful", "reliable", "delightful", "sturdy", "lovely", "brilliant", "excellent", "superb", "charming", "handy", "comfortable", "graceful",
    "dependable", "fantastic", "marvellous", "great", "perfect", "pleasant", "smooth", "elegant", "clever", "solid", "splendid", "impressive",
    "amazing", "beautiful", "cheerful", "good", "satisfying", "neat", "useful", "practical", "generous", "outstanding", "enjoyable", "gentle",
    "precise", "awesome", "well made", "spot on",
];

pub const CROSS: &[&str] = &[
    "disappointing", "flimsy", "clumsy", "annoying", "dull", "awful", "poor", "frustrating", "wobbly", "fragile", "terrible", "useless", "bad",
    "boring", "awkward", "weak", "faulty", "shabby", "unreliable", "tiresome", "crooked", "rough", "stiff", "sad", "horrible", "messy", "broken",
    "uncomfortable", "overpriced", "dreadful", "mediocre", "creaky", "unfinished", "careless", "badly made", "impractical", "ugly", "cheap",
    "irritating", "a letdown",
];

/// Turns what follows into its opposite.
pub const NOT_AT_ALL: &[&str] = &["anything but", "far from", "by no means", "nowhere near", "not in the least"];

/// Leads from one adjective to another.
pub const SECONDS: &[&str] = &["and", "and also", "as well as", "and still", "yet somehow also"];

pub const PLAIN: &[&str] = &[
    "smaller than expected", "larger than expected", "lighter than expected", "much as described", "a different shade", "on its way", "back in stock",
    "sold out", "in the hallway", "being unpacked", "boxed up", "heavier than the picture", "about average", "ready for use", "on the shelf", "in daily use",
    "the usual size", "new to me", "second hand", "under the table", "three years old", "next on my list", "in the van", "the older model", "as expected",
    "wrapped in paper", "due on Friday", "packed away", "on display", "parked outside",
];

/// What goes before those.
pub const PLAIN_VERBS: &[&str] = &[
    "is", "was", "still is", "must be", "is probably", "seems to be", "is apparently", "was recently", "is once again", "could be", "will soon be", "is now",
    "is, it seems,", "was, until today,", "might be", "ought to be",
];

/// When, or according to whom.
pub const PLAIN_WHEN: &[&str] = &[
    "since Monday", "until the weekend", "for the time being", "as of this morning", "according to the label", "as far as I see", "for three weeks now",
    "says the list", "if nothing changes", "at the moment", "once more", "for reasons unknown", "since the delivery", "until further notice", "by my notes",
    "ever since March", "so they told me", "at the time of writing", "unless I am mistaken", "these days", "for now", "as always", "until somebody asks",
    "to my knowledge", "on paper", "since the stocktaking", "as the photo shows", "till Thursday", "going by the receipt", "from what I heard",
];

/// On what occasion, or for how long.
pub const WHEN: &[&str] = &[
    "after some weeks", "on busy mornings", "when guests come over", "through the whole winter", "at this price", "on rainy days", "for a small flat",
    "now in spring", "even in a hurry", "with two children around", "after the third attempt", "before the first coffee", "late at night",
    "on a tight budget", "during the holidays", "with the window open", "for a beginner", "by candlelight", "after all these years", "on Sunday afternoons",
    "with the bus late", "between two meetings", "in the early hours", "with some patience", "for somebody my height", "despite the wet weather",
    "since the last move", "under the kitchen light", "with wet hands", "after a long shift", "for a whole family", "on the first try", "while it lasts",
    "against my expectations", "during the heat wave", "as a birthday present", "beside the old one", "for left-handed people", "when the power fails",
    "without any manual", "for quiet evenings", "out in the yard", "once the novelty fades", "after one careful wash", "in a shared house",
    "on the way home", "for the autumn fair", "when nobody is watching", "at the second look", "in any weather",
];

/// People of the speaker's life.
pub const FRIENDS: &[&str] = &[
    "my sister", "our neighbour", "my flatmate", "the whole office", "my brother", "grandma", "the postman", "my aunt", "our coach", "a colleague",
    "my cousin", "the youngest", "my uncle", "our choir", "the baker", "my old friend", "our landlady", "the librarian", "half the street", "my teacher",
    "one of the twins", "our gardener", "my nephew", "the team", "a stranger", "my partner", "our dentist", "the caretaker", "my niece", "the night shift",
];

pub const AGREES: &[&str] = &[
    "agreed", "could not disagree more", "had warned me", "will not believe it", "laughed out loud", "took notes", "wants to know why", "said so first",
    "keeps asking about it", "shrugged", "nodded", "has seen it too", "blames me", "is of two minds", "changed the subject", "noticed at once",
    "heard about it already", "just smiled", "made a list", "would like proof",
];

pub const GAVE: &[&str] = &[
    "lent me", "gave us", "passed on", "brought along", "pointed out", "found", "repaired", "won", "swapped", "unpacked", "insisted on", "picked out",
    "borrowed", "ordered", "tried", "showed us", "mentioned", "chose", "wrapped up", "left behind",
];

pub const SAYS: &[&str] = &[
    "says", "thinks", "claims", "found that", "is sure that", "told me", "keeps saying", "insists that", "admits", "suspects", "wrote that", "reports that",
    "believes", "has decided that", "joked that",
];

pub const TIMES: &[&str] = &[
    "this morning", "yesterday", "on Monday", "last weekend", "tonight", "at lunch", "this evening", "on Tuesday", "around noon", "after work", "last night",
    "on Wednesday", "at sunrise", "on Thursday", "just now", "on Friday", "before dinner", "on Saturday", "at six", "all afternoon",
];

pub const PLACES: &[&str] = &[
    "at the market", "in the park", "by the river", "on the balcony", "at the station", "in our kitchen", "at the office", "down the road",
    "at the library", "in the workshop", "on the tram", "near the harbour", "at the school fair", "in the attic", "at the bus stop", "behind the bakery",
    "in the stairwell", "at the community hall", "under the old bridge", "by the fountain", "in the waiting room", "on the roof", "at the corner cafe",
    "in the garage", "at the flea market",
];

/// What goes on in the town; with a comma, as sentences begin with it.
pub const EVENTS: &[&str] = &[
    "at the spring fair,", "after the choir rehearsal,", "during the power cut,", "since the road works began,", "at the harbour festival,",
    "on chess evening,", "while the bridge was closed,", "before the town meeting,", "at the school play,", "after the tram stopped,",
    "at the cycling race,", "during the book fair,", "when the market moved,", "at the lantern walk,", "after the big sale,", "at the regatta,",
    "when the lift stopped,", "at the pottery class,", "since the library reopened,", "after the fire drill,", "at the pumpkin weighing,",
    "during the museum night,", "when water was short,", "on moving day,", "at the neighbours' picnic,", "after the street concert,",
];

pub const FROSTY: &[&str] = &[
    "frost on the windows in", "ice on the puddles in", "below zero in", "frozen taps in", "two pairs of socks in", "hot soup weather in", "gloves needed in",
    "white roofs in",
];
pub const CHILLY: &[&str] = &[
    "scarf weather in", "a fresh wind in", "ten degrees, if that, in", "the heating is on in", "coats and tea in", "a grey, cool day in", "the sensors say cool in",
    "blankets out in",
];
pub const MILD: &[&str] = &[
    "mild air in", "windows open in", "neither warm nor cold in", "shirt sleeves, almost, in", "a soft breeze in", "a calm day in", "bicycle weather in",
    "laundry dries outside in",
];
pub const WARM: &[&str] = &[
    "ice cream weather in", "a warm day in", "sandals again in", "the shade is taken in", "the fans are on in", "summer shirts in", "cats asleep outside in",
    "warm stones in",
];
pub const HOT: &[&str] = &[
    "too hot to walk in", "the tar is melting in", "forty degrees, nearly, in", "a heat wave in", "all blinds down in", "water bottles everywhere in",
    "the sensors show red in", "nobody is outside in",
];

pub const TOOK: &[&str] = &[
    "took", "carried", "was looking for", "forgot", "was showing off", "unpacked", "photographed", "was selling", "wants to trade", "has been comparing",
    "asked about", "tested", "sketched", "was measuring", "came by with", "waited for", "left", "is storing", "drew a picture of", "counted the days for",
];

pub const ASKS: &[&str] = &[
    "has anyone tried", "does anyone own", "who is using", "anyone here with", "what do you make of", "who else ordered", "has somebody compared",
    "where do you keep", "how do you clean", "who could lend me", "is anybody selling", "did anyone return", "what goes well with", "who remembers",
    "does anybody collect", "who is waiting for", "who would swap", "what came with", "has anybody repaired", "when did you buy",
];

pub const QUESTIONS: &[&str] = &[
    "how does it hold up", "which size did you take", "is the manual any use", "does it fit a shelf", "how long does it last", "would you choose it again",
    "is there a newer one", "what about spare parts", "does the colour fade", "how heavy is it really", "where did you get it", "is it for children too",
    "did yours come assembled", "does it need much room", "how do you store it", "what did delivery cost", "can it be repaired", "is the box reusable",
    "how did you carry it", "do you use it daily", "which colour is it", "was anything missing", "how noisy is it", "who made the choice", "does it travel well",
];

pub const TIPS: &[&str] = &[
    "a tip:", "what works here:", "note for beginners:", "reminder:", "little trick:", "house rule:", "from experience:", "for what it is worth,", "try this:",
    "learned slowly:", "old advice, still valid:", "my routine:", "a habit of mine:", "step one:", "seen in a video:", "handed down at home:",
];

pub const CARES: &[&str] = &[
    "keep", "put", "store", "wipe", "unpack", "check", "label", "cover", "place", "set up", "carry", "test", "try", "rinse", "dust", "move",
];

pub const HOW: &[&str] = &[
    "with care", "twice a week", "near a window", "away from the heater", "in its box", "on a flat surface", "with a soft cloth", "in plain daylight",
    "one step at a time", "with a friend", "before the weekend", "under a dry roof", "piece by piece", "at room temperature", "by the door",
    "where everyone sees it", "once a month", "on the top shelf", "slowly", "without any rush", "on a wooden tray",
    "next to the plants", "as the label shows", "in a linen bag", "at arm's length", "with clean hands", "before the guests arrive", "in the shade", "with both hands",
    "off the ground", "a little to the left", "with the lid closed", "out of the wind",
];

pub const OURS: &[&str] = &[
    "mine", "ours", "the one at work", "my copy", "the older one", "the one we had", "the display piece", "my replacement", "the green one", "our first one",
    "the one next door", "the travel size", "my spare", "the one I returned", "the second one",
];

/// How somebody answers who neither agrees nor disagrees.
pub const REACTIONS: &[&str] = &[
    "interesting,", "oh,", "thanks for this,", "hm,", "noted,", "wait,", "ha,", "no idea, but", "well,", "maybe, but", "I wondered too:", "late to this, but",
    "right,", "curious,", "ah,", "same question:", "who knew,", "to add,", "from my side:", "understood,", "one more thing:", "off topic, but", "by the way,",
    "since you mention it,", "reading along:", "for comparison:", "not quite sure, but", "my turn:", "hello neighbour,", "new here, but",
];

pub const AGREEING: &[&str] = &[
    "same here:", "seconded,", "exactly,", "indeed,", "true,", "that explains it:", "can confirm:", "I can only agree:", "so it is,", "my words:",
    "we say the same:", "quite so,", "you are right,", "no surprise:", "that matches:", "as you say,", "yes, and", "there you have it:", "likewise,", "agreed,",
    "just what we saw:", "you took my words:", "count me in:", "that makes two:",
];

pub const DIFFERING: &[&str] = &[
    "not here:", "small correction:", "odd,", "really? because", "funny, because", "I see it otherwise:", "that surprises me:", "hm, no:", "quite the opposite:",
    "strange, as", "opinions differ:", "we had another one:", "wait, what?", "not in our house:", "I say otherwise:", "let me object:", "another view:",
    "luck of the draw?", "the same thing?", "not my experience:", "on the contrary,", "I disagree:", "my turn to differ:", "sorry, but",
];

/// How somebody begins who was asked.
pub const ANSWERS: &[&str] = &[
    "quick answer:", "I can help:", "we have one:", "to your question:", "asked and answered:", "from an owner:", "yes, we do:", "I do:", "here is one:",
    "as far as I know,", "from experience,", "we looked it up:", "happens that I know:", "you asked:", "an attempt:", "short answer:", "I have one:",
    "depends, but", "let me think:", "only this much:", "sort of:", "I might know:", "second hand news:", "hope it helps:",
];

pub const REASONS: &[&str] = &[
    "so I kept it", "which surprised nobody", "or so I hear", "as the label says", "in case you wonder", "which settles it", "if memory serves", "at least here",
    "and that is that", "as you would expect", "though opinions differ", "and I counted", "unless I missed something", "so take your pick", "for what it is worth",
    "but ask again tomorrow", "which says a lot", "and the box agrees", "so we drew lots", "as far as I know", "and nobody argued", "give or take",
    "which I wrote down", "but that was before", "so I asked around",
];

pub const SHARES: &[&str] = &[
    "passing this on:", "worth a look:", "if you missed it:", "saving this for later:", "look at this:", "sharing again:", "bookmarked:", "more people should read:",
    "from my feed:", "this one stays:", "for the group:", "found while scrolling:", "read to the end:", "for tonight:", "a thread to follow:", "found it again:",
    "see below:", "for my neighbours:", "copied for the club:", "keeping track of this:", "a view worth hearing:", "to all who asked:", "spotted:", "for the archive:",
];

/// How somebody leads over to what another wrote of a thing.
pub const REPORTS: &[&str] = &[
    "word is that it", "they write that it", "one owner says it", "apparently it", "from what I read, it", "the verdict is that it", "rumour has it that it",
    "an owner wrote that it", "I read here that it", "somebody found that it", "it is said that it", "the post says it",
];

pub const WONDERS: &[&str] = &[
    "was asking about", "has questions about", "told me about", "waited for", "wrote about", "dreams of", "compared notes on", "keeps an eye on", "argued about",
    "made a drawing of", "wants to borrow", "has news of", "is curious about", "remembered", "read up on", "pointed at", "could tell stories about",
];

pub const GLAD_CLOSERS: &[&str] = &[
    "Would buy it again.", "Thinking about a second one.", "No regrets.", "Very happy with it.", "Five stars.", "It made my week.", "Love it.", "Warmly recommended.",
    "Money well spent.", "Could not be happier.", "A real treat.", "Everyone is pleased.", "I smile every time.", "What a find!", "Best choice this year.",
    "It was worth the wait.", "Pure joy.", "Thank you, whoever designed it.", "Glad I waited.", "So pleased.", "It just works.", "Keeper.", "Big fan now.",
    "Exceeded my hopes.", "Bravo!",
];

pub const CROSS_CLOSERS: &[&str] = &[
    "It goes back tomorrow.", "Would not buy again.", "I expected more.", "Such a pity.", "Waste of money.", "One star.", "Never again.", "I am not amused.", "Sadly no.",
    "Save your money.", "I want a refund.", "What a shame.", "Regret buying it.", "Still annoyed.", "Not worth it.", "Back to the old one.", "Very let down.",
    "The search continues.", "I give up.", "Cannot recommend it.", "It failed me twice.", "Wrong choice.", "Hardly worth the box.", "Lesson learned.", "Meh.",
];

pub const PLAIN_CLOSERS: &[&str] = &[
    "More tomorrow.", "Will report back.", "Pictures to follow.", "Just asking.", "That is all.", "Back to work.", "Answers welcome.", "See you there.", "To be continued.",
    "Let me know.", "Anyway, tea time.", "Written on the tram.", "No hurry.", "Details on request.", "Off to bed.", "Make of it anything.", "Until next week.",
    "Now you know.", "Ask me in a month.", "End of report.", "Noted for later.", "The kettle is on.", "Replies may take a while.", "Time will tell.", "Carry on.",
];

/// Every list, for the tests that hold for all parts.
#[cfg(test)]
pub const ALL: &[&[&str]] = &[
    OPENERS, DETERMINERS, ARTICLES, FROM, VERBS, ADVERBS, GLAD, CROSS, SECONDS, PLAIN, WHEN, FRIENDS, AGREES, GAVE, SAYS, TIMES, PLACES, TOOK, ASKS, QUESTIONS, TIPS, CARES, HOW, OURS,
    REACTIONS, REASONS, SHARES, WONDERS, GLAD_CLOSERS, CROSS_CLOSERS, PLAIN_CLOSERS, AGREEING, DIFFERING, ANSWERS, REPORTS, EVENTS, FROSTY, CHILLY, MILD, WARM, HOT,
    NOT_AT_ALL, PLAIN_VERBS, PLAIN_WHEN,
];
