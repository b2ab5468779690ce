package redis

import (
	"context"
	_ "embed" // the script
	"fmt"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

//go:embed use.lua
var useLua string

var useScript = goredis.NewScript(useLua)

// useMargin is how much longer than its end a count is kept, since the clocks of
// the nodes and of Redis differ.
const useMargin = 5 * time.Minute

// UseTicket counts one use of the credential id, by all nodes together, and says
// whether it was within most: of any number of uses at once at most most get
// true. The count is kept until until and five minutes more. Its name is a keyed
// hash. It takes one round trip and at most Options.Timeout. On error nobody
// knows whether the use was counted, and the caller denies.
func (a *Admission) UseTicket(ctx context.Context, id string, most int64, until time.Time) (bool, error) {
	if most < 1 {
		return false, ctx.Err()
	}
	if a.options.ReadOnly {
		return false, errReadOnly
	}
	if ctx.Err() != nil {
		return false, fmt.Errorf("%w: %w", errNotAsked, ctx.Err())
	}
	if err := a.enter(ctx); err != nil {
		return false, err
	}
	limited, cancel := context.WithTimeout(ctx, a.options.Timeout)
	defer cancel()
	answer, err := a.run(limited, useScript, []string{a.names.ofUse(id)},
		strconv.FormatInt(min(most, MaxLimit), 10), strconv.FormatInt(until.Add(useMargin).UnixMilli(), 10), strconv.FormatInt(useMargin.Milliseconds(), 10))
	a.link.report(err, ctx.Err() != nil)
	if err != nil {
		return false, explain(err)
	}
	if len(answer) != 2 || answer[0] != 0 && answer[0] != 1 {
		return false, errAnswer
	}
	return answer[0] == 1, nil
}
