package app

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/config"
	"claviger.dev/claviger/record"
	"claviger.dev/claviger/store/postgres"
	"claviger.dev/claviger/store/sqlite"
)

var (
	_ record.Store = (*sqlite.Store)(nil)
	_ record.Store = (*postgres.Store)(nil)
)

// newKeeper makes the keeper of a database. memory has no records, and the
// configuration refuses to ask it for any.
func newKeeper(e engine, m *metrics, log *slog.Logger) *record.Keeper {
	s, _ := e.(record.Store)
	return record.New(record.Options{Store: s, Now: time.Now, Log: log, Lost: func(kind, reason string, n int) {
		m.recordsLost.WithLabelValues(kind, reason).Add(float64(n))
	}})
}

// policyOf is the retention policy of a configuration.
func policyOf(cfg *config.Config) record.Policy {
	r := cfg.Retention
	p := record.Policy{Calls: record.Rule{Time: r.Usage.Time, Plans: r.Usage.Plans}}
	if t := r.Transcripts; t != nil {
		p.Transcripts = record.TranscriptRule{
			Rule: record.Rule{Time: t.Time, Plans: t.Plans}, Recipients: t.Recipients,
			TranscriptParts: claviger.TranscriptParts{
				Prompts: slices.Contains(t.Keep, config.KeepPrompts), Answers: slices.Contains(t.Keep, config.KeepAnswers),
			},
		}
	}
	return p
}

// recipients refuses recipients to whom nothing can be sealed.
func recipients(c *config.Config) []config.Problem {
	t := c.Retention.Transcripts
	if t == nil || len(t.Recipients) == 0 || slices.Contains(t.Recipients, "") {
		return nil // which has been told
	}
	err := record.CheckRecipients(t.Recipients)
	if err == nil {
		return nil
	}
	path := "retention.transcripts.recipients"
	if one, ok := errors.AsType[*record.RecipientError](err); ok {
		path = fmt.Sprintf("%s[%d]", path, one.Index)
	}
	return []config.Problem{c.Problem(path, err.Error(), "")}
}
