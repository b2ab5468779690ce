package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"unicode/utf8"

	"claviger.dev/claviger"
	"claviger.dev/claviger/content"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/openai"
)

// spoken is what a caller says: what of a call is theirs and goes upstream.
type spoken interface {
	// Texts calls visit for each piece of it that may be text, until visit returns
	// false. An error refuses the call.
	Texts(visit func(*jsonx.Leaf) bool) error
}

// checkContent holds what the caller says to the policy of the route. The error
// names the place and what is refused, and never holds the text.
func (a *admitted) checkContent(p *content.Policy, said spoken) error {
	if p.Empty() || said == nil {
		return nil
	}
	var found error
	err := said.Texts(func(l *jsonx.Leaf) bool {
		if l.Kind == jsonx.KindObject && jsonx.IsWord(l.Text) {
			return true
		}
		if name, in := p.Find(l.Text); in {
			found = refusedContent(l.Path(), name, "pattern")
		}
		return found == nil
	})
	if err == nil {
		err = found
	}
	if err != nil {
		return err
	}
	if p.Moderation == nil {
		return nil
	}
	return a.moderate(p.Moderation, said)
}

// refusedContent refuses what stands at a place; what is a name of ours.
func refusedContent(place, name, what string) error {
	detail := name + " is not allowed"
	if place != "" {
		detail = "Invalid " + place + ": " + detail
	}
	return &claviger.Error{
		Code: claviger.CodeInvalidInput, Detail: detail, Param: place, Err: fmt.Errorf("refused by the content policy: %s %s", what, name),
	}
}

// moderate asks the provider about what the caller says. A call that it cannot
// judge is refused, unless the operator lets it pass.
func (a *admitted) moderate(m *content.Moderation, said spoken) error {
	asked, err := gatherQuestion(said)
	if err != nil || len(asked.texts) == 0 {
		return err
	}
	verdicts, err := a.verdicts(m, asked.texts)
	for i := range verdicts {
		category, unclear := m.Refuses(verdicts[i])
		if unclear != nil {
			err = &claviger.Error{Code: claviger.CodeUpstreamError, Err: unclear}
		}
		if category != "" {
			return refusedContent(asked.places[i], category, "moderation")
		}
	}
	if err == nil || a.ctx.Err() != nil {
		return err
	}
	if m.Open {
		a.x.g.options.Logger.LogAttrs(a.ctx, slog.LevelWarn, "a call passed without its moderation",
			slog.String("request_id", a.x.event.RequestID), slog.String("cause", err.Error()))
		return nil
	}
	return err
}

// verdicts asks about texts, within the time for it and for as long as the caller
// is there.
func (a *admitted) verdicts(m *content.Moderation, texts []string) ([]content.Verdict, error) {
	ctx, cancel := context.WithTimeout(a.ctx, m.Timeout)
	defer cancel()
	call := m.Call(texts)
	resp, err := a.x.s.Upstream.RoundTrip(ctx, a.pass(&call)) //nolint:bodyclose // readAnswer closes it
	var raw []byte
	if err == nil {
		raw, err = readAnswer(resp)
	}
	switch {
	case err == nil:
		return content.Verdicts(raw, len(texts))
	case a.ctx.Err() != nil:
		return nil, a.failure(err)
	case ctx.Err() != nil:
		return nil, &claviger.Error{Code: claviger.CodeUpstreamTimeout, Err: fmt.Errorf("moderation: %w", err)}
	}
	e := a.failure(err)
	if c, ok := errors.AsType[*claviger.Error](e); ok && c.Code == claviger.CodeUpstreamInvalid {
		// The caller did not ask for it, and learns nothing about it.
		return nil, &claviger.Error{Code: claviger.CodeUpstreamError, Err: fmt.Errorf("moderation: %w", err)}
	}
	return nil, e
}

// question is what the provider is asked about, with the place of each text.
type question struct {
	texts, places []string
	// joined says that there are more texts than can be asked about one by one:
	// those of one member are put together in last then.
	joined bool
	last   []byte
	full   bool
}

// gatherQuestion finds the texts that are words. What is too much for one question
// is refused.
func gatherQuestion(said spoken) (*question, error) {
	var q question
	for range 2 {
		q = question{joined: q.full}
		if err := said.Texts(q.add); err != nil {
			return nil, err
		}
		q.close()
		if !q.full {
			return &q, nil
		}
	}
	return nil, &claviger.Error{
		Code: claviger.CodeTooLarge, Detail: "Too much text to be moderated",
		Err: fmt.Errorf("more than %d texts of %d bytes", content.MaxTexts, content.MaxText),
	}
}

func (q *question) add(l *jsonx.Leaf) bool {
	if !openai.Prose(l) {
		return true
	}
	for text := l.Text; text != "" && !q.full; {
		piece := cutText(text, content.MaxText)
		text = text[len(piece):]
		switch {
		case !q.joined:
			q.put(l.Path(), piece)
		case !q.join(l.Top(), piece):
			q.close()
			q.put(l.Top(), "")
			q.last = append(q.last, piece...)
		}
	}
	return !q.full
}

func (q *question) put(place, text string) {
	if q.full = len(q.texts) == content.MaxTexts; !q.full {
		q.texts, q.places = append(q.texts, text), append(q.places, place)
	}
}

// join puts a text behind the last one, where both are of one member and fit.
func (q *question) join(place, text string) bool {
	const between = "\n\n"
	n := len(q.places)
	if n == 0 || q.places[n-1] != place || len(q.last)+len(between)+len(text) > content.MaxText {
		return false
	}
	q.last = append(append(q.last, between...), text...)
	return true
}

// close ends the text that was put together last.
func (q *question) close() {
	if n := len(q.texts); q.joined && n > 0 && len(q.last) > 0 {
		q.texts[n-1], q.last = string(q.last), q.last[:0]
	}
}

// cutText is the beginning of a text, at most so many bytes, that ends with a whole
// character.
func cutText(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}
