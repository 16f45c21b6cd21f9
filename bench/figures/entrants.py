"""Names of bases and corpora, as the documents give them."""

SHIPPED, ENGLISH = "earful-base", "the base before"

OF_ENGLISH = {
    *("ablation_czech", "averaged_czech", "beside_czech", "conditions", "forecast", "held_out", "kshot_bases"),
    *("mandarin", "rows", "self_adapt_czech", "stages_czech", "suggest_czech"),
}
"""What was measured when `earful-base` was what recipes/english makes, on an encoder that has heard English alone."""

BASES = {
    "none": "nothing",
    "work/english": ENGLISH,
    "hf:work/whisper-tiny-en": "Whisper's encoder alone",
    "work/synthetic": "before any real voice",
    "work/without-dutch": "without any Dutch",
}

CORPORA = {"fillets-cs": "Czech", "fillets-nl": "Dutch", "spoken-ka": "Georgian, by a synthesiser"}
