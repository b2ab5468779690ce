package openai

// The shapes that answers of every endpoint are made of.
var (
	aString   = &answer{kinds: kString}
	aText     = &answer{kinds: kString | kNull}
	aNumber   = &answer{kinds: kNumber | kNull}
	aBool     = &answer{kinds: kBool | kNull}
	aVerbatim = &answer{kinds: kNull | kBool | kNumber | kString | kArray | kObject, verbatim: true}
	aInts     = &answer{kinds: kArray | kNull, elem: &answer{kinds: kNumber}}
	aStrings  = &answer{kinds: kArray | kNull, elem: aString}
)

func aExactly(s string) *answer { return &answer{kinds: kString, is: s} }

func aObject(ms ...answerMember) *answer {
	return &answer{kinds: kObject | kNull, object: &answerObject{ms}}
}

// whole is an answer that is one object.
func whole(o *answerObject) *answer { return &answer{kinds: kObject, object: o} }

func aList(elem *answer) *answer { return &answer{kinds: kArray | kNull, elem: elem} }

func aTyped(types ...answerType) *answer { return &answer{kinds: kObject, types: types} }

func aType(name string, ms ...answerMember) answerType {
	return answerType{name: name, object: &answerObject{append([]answerMember{{name: "type", is: aString, need: true}}, ms...)}}
}

// aOrText adds text to what an array or object may be.
func aOrText(a *answer) *answer {
	n := *a
	n.kinds |= kString
	return &n
}

var usageDetails = aObject(
	answerMember{name: "cached_tokens", is: aNumber},
	answerMember{name: "cache_write_tokens", is: aNumber},
	answerMember{name: "reasoning_tokens", is: aNumber},
	answerMember{name: "audio_tokens", is: aNumber},
	answerMember{name: "text_tokens", is: aNumber},
	answerMember{name: "image_tokens", is: aNumber},
	answerMember{name: "accepted_prediction_tokens", is: aNumber},
	answerMember{name: "rejected_prediction_tokens", is: aNumber},
)

var logprob = aObject(
	answerMember{name: "token", is: aString, need: true},
	answerMember{name: "logprob", is: aNumber, need: true},
	answerMember{name: "bytes", is: aInts},
	answerMember{name: "top_logprobs", is: aList(aObject(
		answerMember{name: "token", is: aString, need: true},
		answerMember{name: "logprob", is: aNumber, need: true},
		answerMember{name: "bytes", is: aInts},
	))},
)

var embeddingsAnswer = &answerObject{[]answerMember{
	{name: "object", is: aExactly("list"), need: true},
	{name: "data", need: true, is: &answer{kinds: kArray, elem: &answer{kinds: kObject, object: &answerObject{[]answerMember{
		{name: "object", is: aString, fill: `"embedding"`},
		{name: "index", is: aNumber, need: true},
		{name: "embedding", need: true, is: &answer{kinds: kArray | kString, elem: &answer{kinds: kNumber}}},
	}}}}},
	{name: "model", is: aString, need: true},
	{name: "usage", do: usage, is: aObject(
		answerMember{name: "prompt_tokens", is: aNumber},
		answerMember{name: "total_tokens", is: aNumber},
	)},
}}

var moderationsAnswer = &answerObject{[]answerMember{
	{name: "id", is: aString, need: true},
	{name: "model", is: aString, need: true},
	{name: "results", need: true, is: &answer{kinds: kArray, elem: aObject(
		answerMember{name: "flagged", is: aBool, need: true},
		answerMember{name: "categories", is: &answer{kinds: kObject, each: aBool}, need: true},
		answerMember{name: "category_scores", is: &answer{kinds: kObject, each: aNumber}, need: true},
		answerMember{name: "category_applied_input_types", is: &answer{kinds: kObject, each: aStrings}},
	)}},
}}
