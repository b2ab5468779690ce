package config

import (
	"time"
)

// Retention is what is kept of calls, for whom and how long.
type Retention struct {
	// Usage are the records of single calls, without prompts and answers.
	Usage UsageRetention
	// Transcripts are the prompts and answers, nil for none.
	Transcripts *TranscriptRetention
}

// Any reports whether anything is kept.
func (r Retention) Any() bool { return r.Usage.Time > 0 || r.Transcripts != nil }

// UsageRetention is the rule of records of calls.
type UsageRetention struct {
	// Time is how long they are kept; 0 is not at all.
	Time time.Duration
	// Plans are those whose callers' calls are recorded; empty for all.
	Plans []string
}

// TranscriptRetention is the rule of prompts and answers.
type TranscriptRetention struct {
	// Keep holds "prompts", "answers" or both.
	Keep []string
	// Plans are those whose callers' words are kept; empty for all.
	Plans []string
	Time  time.Duration
	// Recipients are public keys of age, to which everything is sealed.
	Recipients []string
}

// The words of TranscriptRetention.Keep.
const (
	KeepPrompts = "prompts"
	KeepAnswers = "answers"
)

func retentionKind() kind[Retention] {
	plansKind := func() *list[string] { return listOf(anyName("the name of a plan", "free")).some("as [free]") }
	usage := &brief[UsageRetention, time.Duration]{
		object: newObject("records of calls",
			key("time", span(longestKept), func(u *UsageRetention) *time.Duration { return &u.Time }, "How long they are kept.").must("90d"),
			key("plans", plansKind(), func(u *UsageRetention) *[]string { return &u.Plans }, "The plans whose callers' calls are recorded. Without it, everybody's."),
		),
		short: keeping(), at: func(u *UsageRetention) *time.Duration { return &u.Time },
		plain: func(u UsageRetention) bool { return u.Plans == nil },
	}
	transcripts := newObject("prompts and answers",
		key("keep", listOf(choice(KeepPrompts, KeepAnswers)).some("as [prompts, answers]"), func(t *TranscriptRetention) *[]string { return &t.Keep },
			"What of a call is kept.").def("[prompts, answers]"),
		key("plans", plansKind(), func(t *TranscriptRetention) *[]string { return &t.Plans }, "The plans whose callers' words are kept. Without it, everybody's."),
		key("time", span(longestKept), func(t *TranscriptRetention) *time.Duration { return &t.Time }, "How long they are kept.").must("30d"),
		key("recipients", listOf(recipient()).some("write the public key of whoever may read, as 'age-keygen -y FILE' prints it").most(20),
			func(t *TranscriptRetention) *[]string { return &t.Recipients },
			"Public keys of age (age1…). Everything is sealed to them, and nobody else can read it, the gateway included.").must("[age1…]"),
	)
	return &brief[Retention, time.Duration]{
		object: newObject("what is kept of calls",
			key("usage", usage, func(r *Retention) *UsageRetention { return &r.Usage },
				"Records of single calls, without prompts and answers: none, or a duration as 90d, or for some plans.").def("none"),
			key("transcripts", maybe(transcripts), func(r *Retention) **TranscriptRetention { return &r.Transcripts }, "Prompts and answers, sealed. Without it, none are kept."),
		),
		short: keeping(), at: func(r *Retention) *time.Duration { return &r.Usage.Time },
		plain: func(r Retention) bool { return r.Usage.Plans == nil && r.Transcripts == nil },
	}
}

// recipient is a public key of age. What is none is not repeated.
func recipient() *scalar[string] {
	return matching("a recipient of age", "age1…", `^age1[0-9a-z]{50,}$`, fault{
		"is no recipient of age", "write the public key, which begins with age1; never the identity, which begins with AGE-SECRET-KEY",
	})
}

// checkRetention joins the rules of what is kept with the rest of the file.
func checkRetention(c *Config) []Problem {
	f := findings{c: c}
	r := &c.Retention
	if r.Any() && c.Storage.Database == "memory" {
		f.add("retention", "storage.database is memory, which keeps nothing", "set storage.database to sqlite or to a postgres:// address, or retention to none")
	}
	f.known("retention.usage.plans", r.Usage.Plans, c.planNames(), "plan")
	if t := r.Transcripts; t != nil {
		f.known("retention.transcripts.plans", t.Plans, c.planNames(), "plan")
	}
	return f.ps
}
