//! What happened, in every way in which it is written.

use clap::ValueEnum;
use tandem_proto::relationship::v1::InteractionType;

/// What happened, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Visit,
    Basket,
    Order,
    Payment,
    Delivery,
    Return,
    Support,
    Review,
    MessageOpen,
    MessageClick,
    Reply,
    SurveyAnswer,
    Custom,
}

impl Kind {
    /// As the contract has it.
    pub fn wire(self) -> InteractionType {
        match self {
            Self::Visit => InteractionType::Visit,
            Self::Basket => InteractionType::Basket,
            Self::Order => InteractionType::Order,
            Self::Payment => InteractionType::Payment,
            Self::Delivery => InteractionType::Delivery,
            Self::Return => InteractionType::Return,
            Self::Support => InteractionType::Support,
            Self::Review => InteractionType::Review,
            Self::MessageOpen => InteractionType::MessageOpen,
            Self::MessageClick => InteractionType::MessageClick,
            Self::Reply => InteractionType::Reply,
            Self::SurveyAnswer => InteractionType::SurveyAnswer,
            Self::Custom => InteractionType::Custom,
        }
    }
}

/// Before the words of the contract.
const PREFIX: &str = "INTERACTION_TYPE_";

/// The contract's word: `MESSAGE_OPEN`.
pub fn word(of: InteractionType) -> &'static str {
    of.as_str_name().trim_start_matches(PREFIX)
}

/// Such a word as people write it: `message open`, `Message-Open`.
pub fn read(text: &str) -> Result<InteractionType, String> {
    let word = text.trim().to_ascii_uppercase().replace([' ', '-'], "_");
    let known = InteractionType::from_str_name(&format!("{PREFIX}{word}"));
    known.filter(|of| *of != InteractionType::Unspecified).ok_or_else(|| {
        let all = Kind::value_variants().iter().map(|kind| self::word(kind.wire())).collect::<Vec<_>>();
        format!("`{text}` is no type: write one of {}", all.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_the_contract_can_be_typed_and_read_as_it_is_written() {
        let all: Vec<_> = (1..).map_while(|number| InteractionType::try_from(number).ok()).collect();
        let typed: Vec<_> = Kind::value_variants().iter().map(|kind| kind.wire()).collect();
        assert_eq!(typed, all);
        for of in all {
            assert_eq!(read(word(of)), Ok(of));
        }
        for text in ["message open", " Message-Open ", "message_open"] {
            assert_eq!(read(text), Ok(InteractionType::MessageOpen), "{text}");
        }
        for wrong in ["", "unspecified", "opened", "1"] {
            let said = read(wrong).unwrap_err();
            assert!(
                said.contains(&format!("`{wrong}` is no type")) && said.contains("MESSAGE_OPEN"),
                "{said}"
            );
        }
    }
}
