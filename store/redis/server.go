package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// oldest is the oldest version that is accepted. Valkey calls itself 7.2.4.
const oldest = 7

// markerTTL is how long the mark of a NameKey stays after the last look at the
// server.
const markerTTL = time.Hour

// errUnfit is a server that must not be trusted with limits.
var errUnfit = errors.New("redis: this server cannot keep limits")

func unfit(why string) error { return fmt.Errorf("%w: %s", errUnfit, why) }

// Ping looks at the server and says why limits cannot be kept there, nil when
// they can. It is for readyz and doctor, and takes at most four times
// Options.Timeout.
func (a *Admission) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*a.options.Timeout)
	defer cancel()
	return a.look(ctx)
}

// Problems are why calls are denied or were not settled, as far as is known
// without asking. It is empty when all is well.
func (a *Admission) Problems() []string {
	var out []string
	if err := a.link.reason(); err != nil {
		out = append(out, "limits are unavailable and calls are refused: "+err.Error())
	}
	waiting, lost := a.later.state()
	if waiting > 0 {
		out = append(out, fmt.Sprintf("%d calls have ended of which Redis could not be told yet", waiting))
	}
	if lost > 0 {
		out = append(out, fmt.Sprintf("%d calls have ended of which Redis could not be told: they count as used", lost))
	}
	return out
}

// Warnings are what an operator should know of a server that is in use: what
// makes it forget, and who could listen.
func (a *Admission) Warnings() []string {
	a.link.mu.Lock()
	defer a.link.mu.Unlock()
	return append([]string(nil), a.link.warnings...)
}

// look asks the server what it is and lets calls pass if it is fit.
func (a *Admission) look(ctx context.Context) error {
	warnings, err := a.inspect(ctx)
	if a.link.probed(err, warnings) {
		if err != nil {
			a.lost(err)
		} else {
			a.options.Logger.Info("Redis is in use for limits")
		}
	}
	return err
}

func (a *Admission) lost(why error) {
	a.options.Logger.Warn("Redis cannot be used for limits, and calls are refused until it can", "reason", why.Error())
}

func (a *Admission) inspect(ctx context.Context) ([]string, error) {
	info, err := a.client.Info(ctx).Result()
	if err != nil {
		return nil, explain(err)
	}
	warnings, err := a.judge(fields(info))
	if err != nil {
		return nil, err
	}
	if err := a.mark(ctx); err != nil {
		return nil, err
	}
	if err := a.settleIn(ctx); err != nil {
		return nil, err
	}
	return warnings, nil
}

// fields reads what INFO says.
func fields(info string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			out[name] = value
		}
	}
	return out
}

// judge says whether such a server can keep limits.
func (a *Admission) judge(info map[string]string) (warnings []string, err error) {
	major, _, _ := strings.Cut(info["redis_version"], ".")
	version, _ := strconv.Atoi(major)
	evicts := info["maxmemory"] != "0" && info["maxmemory_policy"] != "noeviction"
	switch {
	case version < oldest:
		return nil, unfit("it is older than Redis 7")
	case info["redis_mode"] != "standalone" || info["cluster_enabled"] == "1":
		return nil, unfit("it is a cluster or a sentinel; name a server that stands by itself")
	case info["role"] != "master":
		return nil, unfit("it is a replica; name the primary")
	case evicts && !a.options.InsecureEviction:
		return nil, unfit("it may throw away what was used when its memory is full; set maxmemory-policy noeviction")
	case info["loading"] == "1":
		return nil, errLoading
	}
	if evicts {
		warnings = append(warnings, "Redis may throw away what was used when its memory is full, and budgets begin anew: set maxmemory-policy noeviction")
	}
	if info["aof_enabled"] != "1" {
		warnings = append(warnings, "Redis forgets on a restart what was used since its last snapshot, and budgets begin anew: set appendonly yes")
	}
	if a.remote {
		warnings = append(warnings, "the way to Redis leaves this machine in clear: use rediss://")
	}
	return warnings, nil
}

// mark makes sure that all gateways on one Redis have the same NameKey. With
// two, everybody would have each window twice.
func (a *Admission) mark(ctx context.Context) error {
	found, err := a.client.Get(ctx, a.names.marker).Result()
	if a.options.ReadOnly {
		switch {
		case errors.Is(err, goredis.Nil), err == nil && found == a.names.mark:
			return nil
		case err != nil:
			return explain(err)
		}
		return errOtherKey(a.names.marker)
	}
	if errors.Is(err, goredis.Nil) {
		if err := a.client.SetNX(ctx, a.names.marker, a.names.mark, markerTTL).Err(); err != nil {
			return explain(err)
		}
		found, err = a.client.Get(ctx, a.names.marker).Result()
	}
	if err != nil {
		return explain(err)
	}
	if found != a.names.mark {
		return errOtherKey(a.names.marker)
	}
	if err := a.client.Expire(ctx, a.names.marker, markerTTL).Err(); err != nil {
		return explain(err)
	}
	return nil
}

func errOtherKey(marker string) error {
	return unfit("gateways with another identity key use it; give all of them the same, or this one another prefix; " +
		"after a change of the key, stop them all and delete " + marker)
}

// Clock reads the clock of the server. It takes at most Options.Timeout.
func (a *Admission) Clock(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, a.options.Timeout)
	defer cancel()
	t, err := a.client.Time(ctx).Result()
	if err != nil {
		return time.Time{}, explain(err)
	}
	return t, nil
}
