package openaitest

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// openers, middles and closers hold one %s-like gap each, written as @, for a word
// of the prompt.
var (
	openers = []string{
		"Here is a short answer about @.",
		"The most useful thing to know about @ is where it begins.",
		"Let us look at @ one step at a time.",
		"There is more to @ than meets the eye.",
		"A good way to think of @ is to start small.",
		"People often ask about @, and the answer is simpler than it seems.",
	}
	middles = []string{
		"In practice @ depends on what you want to reach with it.",
		"Most people find that @ gets easier once the first part is done.",
		"You can compare @ with something you already know, and then look for the difference.",
		"A common mistake is to treat @ as if it stood alone.",
		"It helps to write down what you expect of @ before you begin.",
		"Two things matter for @: the order of the steps, and patience.",
		"For @ there is no single right way, but some ways are shorter.",
		"Keep an eye on the details, because @ is made of them.",
		"If @ surprises you, take a smaller piece and try again.",
		"Older advice about @ still holds, with a few changes.",
	}
	closers = []string{
		"Tell me if you would like to go deeper into @.",
		"That is enough about @ to get started.",
		"From here, the next step with @ is up to you.",
		"With that in mind, @ should hold no terrors.",
		"I hope this makes @ a little clearer.",
	}
	fillers = []string{
		"the", "morning", "light", "falls", "on", "a", "quiet", "street", "where", "small", "shops", "open", "their",
		"doors", "and", "people", "walk", "slowly", "past", "windows", "full", "of", "bread", "books", "flowers",
	}
)

// keywords returns up to four long words of a text, in their order.
func keywords(text string) []string {
	const look = 2000 // later words change nothing, and prompts can be long
	if len(text) > look {
		text = strings.ToValidUTF8(text[:look], "")
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	var out []string
	for _, w := range words {
		if utf8.RuneCountInString(w) > 4 && len(w) <= 40 && !slices.Contains(out, w) {
			out = append(out, w)
		}
		if len(out) == 4 {
			return out
		}
	}
	if len(out) == 0 {
		out = append(out, "your question")
	}
	return out
}

// prose writes a believable answer of three to six sentences.
func prose(prompt string, src *source) string {
	topics := keywords(prompt)
	var b strings.Builder
	sentence := func(from []string) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strings.Replace(from[src.below(len(from))], "@", topics[src.below(len(topics))], 1))
	}
	sentence(openers)
	for range 1 + src.below(4) {
		sentence(middles)
	}
	sentence(closers)
	return b.String()
}

// wordsOf writes exactly n words.
func wordsOf(n int, src *source) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(fillers[src.below(len(fillers))])
	}
	return b.String()
}

// split breaks a text into deltas of one word each, every word but the first with
// the white space before it. Together they are the text again.
func split(text string) []string {
	const longest = 64 // a word without end is broken up
	var out []string
	start, inWord := 0, false
	for i, r := range text {
		space := unicode.IsSpace(r)
		if (space && inWord) || i-start >= longest {
			out = append(out, text[start:i])
			start, inWord = i, false
		}
		if !space {
			inWord = true
		}
	}
	if start < len(text) {
		out = append(out, text[start:])
	}
	return out
}
