package redis

import (
	"context"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// placeTTL is how long a gateway that is gone keeps those of other places away,
// and placeEvery how often one that lives says so.
const (
	placeTTL   = time.Minute
	placeEvery = placeTTL / 4
)

// leaveScript gives the place free, if it is still this one.
var leaveScript = goredis.NewScript(`if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`)

// settleIn makes sure that all gateways on one Redis which keep owners, blocks and
// usage in a local database have the same. With two, a block would hold on one of
// them, and the objects of a caller would be strange to the other.
func (a *Admission) settleIn(ctx context.Context) error {
	if a.options.Place == "" || a.options.ReadOnly {
		return nil
	}
	found, err := a.client.SetArgs(ctx, a.names.place, a.options.Place, goredis.SetArgs{Mode: "NX", Get: true, TTL: placeTTL}).Result()
	switch {
	case errors.Is(err, goredis.Nil):
		return nil
	case err != nil:
		return explain(err)
	case found != a.options.Place:
		return unfit("another gateway uses it, and each has a local database of its own: owners and blocks would hold on one of them alone; " +
			"set storage.database to PostgreSQL for all of them, give this one another Redis, or wait a minute if that gateway is gone")
	}
	return explain(a.client.Expire(ctx, a.names.place, placeTTL).Err())
}

// stay says again and again that this gateway lives, until Close.
func (a *Admission) stay(ctx context.Context) {
	defer close(a.stayed)
	tick := time.NewTicker(placeEvery)
	defer tick.Stop()
	for {
		select {
		case <-a.leave:
			ctx, cancel := context.WithTimeout(ctx, a.options.Timeout)
			_ = leaveScript.Run(ctx, a.client, []string{a.names.place}, a.options.Place).Err()
			cancel()
			return
		case <-tick.C:
			ctx, cancel := context.WithTimeout(ctx, a.options.Timeout)
			_ = a.look(ctx)
			cancel()
		}
	}
}
