//! What a link's owner orders, on its way to the I/O thread.

use std::{any::Any, sync::Arc, time::Duration};

use bytes::Bytes;
use rust_websocket_proto::{Delivery, MessageKind, http::Decision};

use crate::trace::ConnectionTrace;

/// What the owner of a listener gives with a decision and gets back with the accepted connection.
pub type Tag = Arc<dyn Any + Send + Sync>;

/// From a link's owner to the I/O thread, in order.
#[derive(Debug)]
pub(crate) enum Order {
    Send(MessageKind, Bytes, Delivery),
    Close(u16, String),
    Leave,
    /// What becomes of the request that was reported.
    Decide(Box<(Decision, Option<Tag>)>),
    /// The owner is gone: leave unless a close handshake is under way, report nothing any more.
    Abandon,
    /// There is room for messages again.
    Resume,
    /// The owner has had the chance to answer what was reported.
    SettleFault,
    SetHeartbeatInterval(Option<Duration>),
    SetCloseTimeout(Duration),
    SetNoDelay(bool),
    SetUnreliableLifetime(Option<Duration>),
    SetTrace(Option<ConnectionTrace>),
}

/// Orders in the order in which they were given. Mostly there is one, which needs no memory of its own.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    first: Option<Order>,
    others: Vec<Order>,
}

impl Orders {
    /// Memory for so many beside the first is kept by whoever mostly gives one.
    const FEW: usize = 4;
    /// And for so many by whoever gives more.
    const MANY: usize = 256;

    pub(crate) fn push(&mut self, order: Order) {
        match self.first {
            None => self.first = Some(order),
            Some(_) => self.others.push(order),
        }
    }

    /// Takes the orders one by one; memory for about as many stays.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Order> {
        let kept = if self.others.len() > Self::FEW { Self::MANY } else { Self::FEW };
        if self.others.len() <= kept && self.others.capacity() > kept {
            self.others.shrink_to(kept);
        }
        self.first.take().into_iter().chain(self.others.drain(..))
    }

    /// Drops memory that is more than whoever mostly gives one order needs.
    pub(crate) fn release_memory(&mut self) {
        if self.others.capacity() > Self::FEW && self.others.is_empty() {
            self.others = Vec::new();
        }
    }

    /// Takes over the memory of the empty `spare` if it is more than these orders have, unless that is a lot.
    pub(crate) fn take_memory_of(&mut self, spare: &mut Self) {
        let is_more = spare.others.capacity() > self.others.capacity();
        if is_more && spare.others.capacity() <= Self::MANY && self.others.is_empty() {
            std::mem::swap(&mut self.others, &mut spare.others);
        }
    }

    pub(crate) fn forget_sends(&mut self) {
        let orders = std::mem::take(self);
        let others = orders.first.into_iter().chain(orders.others);
        others.filter(|order| !matches!(order, Order::Send(..))).for_each(|order| self.push(order));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(number: u8) -> Order {
        Order::Send(MessageKind::Binary, Bytes::copy_from_slice(&[number]), Delivery::Reliable)
    }

    fn filled(count: usize) -> Orders {
        let mut orders = Orders::default();
        for number in 0..count {
            orders.push(numbered(number as u8));
        }
        orders
    }

    #[test]
    fn orders_keep_their_order() {
        for count in [0, 1, 2, 100] {
            let numbers: Vec<u8> = filled(count)
                .drain()
                .map(|order| match order {
                    Order::Send(_, payload, _) => payload[0],
                    _ => unreachable!(),
                })
                .collect();
            assert!(numbers.into_iter().eq(0..count as u8));
        }
    }

    #[test]
    fn a_burst_does_not_keep_its_memory() {
        let mut burst = filled(10_000);
        burst.drain().for_each(drop);
        let mut outbox = Orders::default();
        outbox.take_memory_of(&mut burst);
        assert_eq!(outbox.others.capacity(), 0);
        burst.release_memory();
        assert_eq!(burst.others.capacity(), 0);

        let mut some = filled(100);
        some.drain().for_each(drop);
        outbox.take_memory_of(&mut some);
        assert!(outbox.others.capacity() >= 99, "memory changes hands");
        outbox.push(numbered(0));
        outbox.drain().for_each(drop);
        assert!(outbox.others.capacity() <= Orders::FEW, "one order needs none");
    }

    #[test]
    fn what_is_no_message_stays() {
        let mut orders = filled(3);
        orders.push(Order::Leave);
        orders.push(numbered(3));
        orders.push(Order::Abandon);
        orders.forget_sends();
        assert!(matches!(orders.drain().collect::<Vec<_>>()[..], [Order::Leave, Order::Abandon]));
    }
}
