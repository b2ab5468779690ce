// Package redis is the claviger.Admission of several gateways on one Redis or
// Valkey: together they grant exactly what one would.
//
// The state of all limits is in Redis, and one script decides about all charges
// of a call in one round trip, all or none. The script does the arithmetic of
// package admit, in whole microseconds instead of nanoseconds.
//
// The clock is that of Redis, so that nodes whose clocks differ agree on when a
// window begins and a lease ends. Nodes work out the bounds of calendar windows,
// which need the time zone database, and the script refuses bounds that its
// time is not in.
//
// Holds do not renew: they expire after Options.LeaseTTL, which must be longer
// than the longest call. A node that dies keeps its leases that long, and a node
// that only lost sight of Redis loses none while its calls last.
//
// Redis Cluster is refused: a limit for everyone makes all calls touch one key,
// so that more shards would bear nothing.
package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/internal/seal"
)

// The values that Options has where it says nothing.
const (
	DefaultPrefix      = "claviger:"
	DefaultTimeout     = time.Second
	DefaultConnections = 16
	DefaultMaxWaiting  = 1024
)

// MaxLimit is the largest limit that can be counted: 2^52, which is 4.5 billion
// in millionths of a currency unit. Redis computes with doubles; a larger limit
// is refused rather than rounded.
const MaxLimit = 1 << 52

// minNameKey is the length from which on a NameKey is believed.
const minNameKey = 32

// Options are the settings of an Admission.
type Options struct {
	// URL is redis://, rediss:// (TLS) or unix://, with user and password if
	// there are any, and the number of the database as path or ?db=N. Other
	// parameters are refused. It is never part of an error or a log line.
	URL claviger.Secret
	// NameKey is the secret of at least 32 bytes from which the names of
	// windows are made, so that Redis shows neither people nor addresses. All
	// gateways on one Redis need the same: with different ones each would have
	// windows of its own, which is refused.
	NameKey claviger.Secret
	// Place names the database of a gateway that keeps it on its own machine.
	// While one gateway lives, one with another Place is refused. Empty is for
	// those whose database is a server that all of them share.
	Place string
	// Prefix begins the name of every key. Empty means DefaultPrefix.
	Prefix string
	// LeaseTTL is how long a hold lives that nobody closes. It must be longer
	// than the longest call. 0 means admit.DefaultLeaseTTL.
	LeaseTTL time.Duration
	// Timeout bounds each call from end to end: waiting for a connection,
	// dialling, writing and reading. 0 means DefaultTimeout.
	Timeout time.Duration
	// Connections bounds the connections. 0 means DefaultConnections.
	Connections int
	// MaxWaiting bounds the calls of Admit that wait at one time; more are
	// denied at once. 0 means DefaultMaxWaiting.
	MaxWaiting int
	// TLS says whom to trust, for rediss://. nil means the system's roots.
	TLS *tls.Config
	// InsecureEviction accepts a server that may throw keys away when its memory
	// is full, and with them what was used.
	InsecureEviction bool
	// ReadOnly looks at the server and changes nothing there, for commands that
	// only look. Nothing may be admitted by it.
	ReadOnly bool
	// Logger hears when Redis is lost and found. nil means silence.
	Logger *slog.Logger
	// Now replaces the clock of Redis, for tests that turn the time. All
	// gateways on one Redis must then have the same.
	Now func() time.Time
}

// Admission is a claviger.Admission on Redis. While Redis cannot be reached, or
// is not fit to be trusted with limits, it denies, and it goes on by itself when
// that ends.
type Admission struct {
	options Options
	client  *goredis.Client
	names   names
	link    link
	later   later
	waiting atomic.Int64
	// ahead is how much later it is at Redis than here, in nanoseconds.
	ahead atomic.Int64
	// remote says that the way to Redis leaves this machine in clear.
	remote bool
	// leave ends stay, which closes stayed; nil without a Place.
	leave, stayed chan struct{}
	closing       sync.Once
}

var _ claviger.Admission = (*Admission)(nil)

// Open reads the options and looks at the server. It fails when the options are
// wrong or the server is not fit: a cluster, a replica, older than Redis 7, able
// to evict, or in use with another NameKey. A server that cannot be reached is
// no failure: calls are denied until it can.
func Open(ctx context.Context, o Options) (*Admission, error) {
	conn, remote, err := parse(&o)
	if err != nil {
		return nil, err
	}
	if o.NameKey.Len() < minNameKey {
		return nil, errors.New("redis: NameKey needs at least 32 bytes")
	}
	silence()
	a := &Admission{options: o, client: goredis.NewClient(conn), remote: remote}
	a.names = newNames(o.Prefix, o.NameKey.Reveal(seal.ForReveal()))
	a.later.init(a)
	a.link.onLoss = a.lost
	if err := a.Ping(ctx); err != nil && errors.Is(err, errUnfit) {
		_ = a.client.Close()
		return nil, err
	}
	if o.Place != "" && !o.ReadOnly {
		a.leave, a.stayed = make(chan struct{}), make(chan struct{})
		go a.stay(context.WithoutCancel(ctx))
	}
	return a, nil
}

// Close tries for a moment to tell Redis of the holds that were closed while it
// was out of reach, and ends all connections. Later calls are denied.
func (a *Admission) Close() error {
	a.later.close()
	if a.leave != nil {
		a.closing.Do(func() { close(a.leave) })
		<-a.stayed
	}
	if err := a.client.Close(); err != nil && !errors.Is(err, goredis.ErrClosed) {
		return explain(err)
	}
	return nil
}

// silence keeps go-redis from writing to standard error, where it would name
// the address.
func silence() { goredis.SetLogger(&logging.VoidLogger{}) }

var errURL = errors.New("redis: the address is not of the form redis://[user:password@]host:port/db, rediss://… or unix:///path?db=N")

// parse fills in the defaults and reads the address. What url.Parse says is not
// passed on, since it repeats the address.
func parse(o *Options) (conn *goredis.Options, remote bool, err error) {
	defaults(o)
	u, err := url.Parse(strings.TrimSpace(string(o.URL.Reveal(seal.ForReveal()))))
	if err != nil {
		return nil, false, errURL
	}
	query := u.Query()
	if !validDB(query.Get("db")) {
		return nil, false, errURL
	}
	query.Del("db")
	if len(query) > 0 {
		return nil, false, errors.New("redis: the address has parameters other than db: what they would set is set by Claviger")
	}
	if (u.Scheme == "redis" || u.Scheme == "rediss") && u.Hostname() == "" {
		return nil, false, errURL
	}
	conn, err = goredis.ParseURL(u.String())
	if err != nil {
		return nil, false, errURL
	}
	if conn.TLSConfig != nil && o.TLS != nil {
		host := conn.TLSConfig.ServerName
		conn.TLSConfig = o.TLS.Clone()
		conn.TLSConfig.MinVersion = max(conn.TLSConfig.MinVersion, tls.VersionTLS12)
		if conn.TLSConfig.ServerName == "" {
			conn.TLSConfig.ServerName = host
		}
	}
	bound(conn, o)
	ip := net.ParseIP(u.Hostname())
	local := conn.Network == "unix" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return conn, !local && conn.TLSConfig == nil, nil
}

func validDB(s string) bool {
	n, err := strconv.Atoi(s)
	return s == "" || err == nil && n >= 0
}

func defaults(o *Options) {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if o.LeaseTTL <= 0 {
		o.LeaseTTL = admit.DefaultLeaseTTL
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Connections <= 0 {
		o.Connections = DefaultConnections
	}
	if o.MaxWaiting <= 0 {
		o.MaxWaiting = DefaultMaxWaiting
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// bound sets what keeps each call short and lets it happen at most once.
func bound(conn *goredis.Options, o *Options) {
	conn.MaxRetries = -1
	conn.DialerRetries = 1
	conn.DialTimeout = o.Timeout
	conn.ReadTimeout = o.Timeout
	conn.WriteTimeout = o.Timeout
	conn.PoolTimeout = o.Timeout
	conn.ContextTimeoutEnabled = true
	conn.PoolSize = o.Connections
	conn.MaxActiveConns = o.Connections
	conn.PipelinePoolSize = -1
	conn.ReadBufferSize = 4 << 10
	conn.WriteBufferSize = 4 << 10
	conn.Protocol = 2
	conn.DisableIdentity = true
	conn.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}
