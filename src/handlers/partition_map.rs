//! The partitions of a request as Kafka keeps them for some keys: in a map.
//!
//! A topic named twice is one topic in the answer, of a partition named twice only the last wish counts, and a topic without
//! partitions is not answered.

use std::collections::HashMap;

use kafka_protocol::messages::TopicName;

/// A topic of the request and what is wanted of its partitions, in the order in which they were first named.
pub struct TopicWishes<'a, T> {
    pub topic: &'a TopicName,
    pub partitions: Vec<(i32, T)>,
}

pub struct PartitionMap<'a, T> {
    topics: Vec<TopicWishes<'a, T>>,
    topic_places: HashMap<&'a TopicName, usize>,
    partition_places: HashMap<(usize, i32), usize>,
}

impl<'a, T> PartitionMap<'a, T> {
    pub fn new() -> PartitionMap<'a, T> {
        PartitionMap { topics: Vec::new(), topic_places: HashMap::new(), partition_places: HashMap::new() }
    }

    pub fn put(&mut self, topic: &'a TopicName, partition: i32, wish: T) {
        let at = *self.topic_places.entry(topic).or_insert(self.topics.len());
        if at == self.topics.len() {
            self.topics.push(TopicWishes { topic, partitions: Vec::new() });
        }
        let Some(wishes) = self.topics.get_mut(at) else { return };
        let place = *self.partition_places.entry((at, partition)).or_insert(wishes.partitions.len());
        match wishes.partitions.get_mut(place) {
            Some(earlier) => earlier.1 = wish,
            None => wishes.partitions.push((partition, wish)),
        }
    }

    pub fn into_topics(self) -> Vec<TopicWishes<'a, T>> {
        self.topics
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::protocol::StrBytes;

    #[test]
    fn topics_are_merged_and_the_last_wish_for_a_partition_counts() {
        let [a, b] = ["a", "b"].map(|name| TopicName(StrBytes::from_static_str(name)));
        let mut map = PartitionMap::new();
        for (topic, partition, wish) in [(&a, 1, 'p'), (&b, 0, 'q'), (&a, 0, 'r'), (&b, 0, 's'), (&a, 1, 't')] {
            map.put(topic, partition, wish);
        }
        let topics: Vec<(&str, Vec<(i32, char)>)> = map.into_topics().into_iter().map(|t| (t.topic.as_str(), t.partitions)).collect();
        assert_eq!(topics, [("a", vec![(1, 't'), (0, 'r')]), ("b", vec![(0, 's')])]);
    }
}
