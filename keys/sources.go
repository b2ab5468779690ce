package keys

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/detect"
	"claviger.dev/claviger/internal/dotenv"
	"claviger.dev/claviger/internal/seal"
)

// SourceOptions say where Sources looks.
type SourceOptions struct {
	// Lookup returns a variable of the process's environment. Nil knows none.
	Lookup func(name string) (string, bool)
	// Dir is the folder of the configuration: relative paths start there, and
	// .env files are read there.
	Dir string
	// Development reads .env files. Outside of it they are not looked at.
	Development bool
	// CommandTime is how long a command may run; 0 means 10 seconds.
	CommandTime time.Duration
}

// Sources reads secrets from the environment, from files and from commands. It
// implements claviger.SecretSource. Files and commands are read anew by each
// Get; .env files once, so a reload makes new Sources.
type Sources struct {
	o    SourceOptions
	vars func() (map[string]dotenv.Var, error)

	mu       sync.Mutex
	files    []string
	warnings []string
}

// NewSources returns Sources. It reads nothing yet.
func NewSources(o SourceOptions) *Sources {
	if o.Lookup == nil {
		o.Lookup = func(string) (string, bool) { return "", false }
	}
	if o.CommandTime <= 0 {
		o.CommandTime = commandTime
	}
	s := &Sources{o: o}
	s.vars = sync.OnceValues(s.readDotenv)
	return s
}

var (
	errMissing  = errors.New("it is not set")
	errEmpty    = errors.New("it is empty")
	errTooLarge = fmt.Errorf("it is longer than %d KiB", maxSecret>>10)
	errFile     = errors.New("it is no regular file")
)

// Get reads a secret, without one trailing newline. Of commands, at most 64 KiB
// are taken, within 10 seconds; files have the same limit. A variable of the
// process comes before those of .env files. The error names the variable, path
// or program, and nothing of a value. It blocks until the file or command is
// read or ctx ends.
func (s *Sources) Get(ctx context.Context, ref claviger.Ref) (claviger.Secret, claviger.Version, error) {
	scheme, rest, err := splitRef(ref)
	if err != nil {
		return claviger.Secret{}, "", err
	}
	if err := ctx.Err(); err != nil {
		return claviger.Secret{}, "", fmt.Errorf("%s: %w", shown(scheme, rest), err)
	}
	var b []byte
	switch scheme {
	case schemeEnv:
		b, err = s.env(rest)
	case schemeFile:
		b, err = s.file(rest)
	default:
		b, err = run(ctx, rest, s.o.Dir, s.o.CommandTime)
	}
	if err != nil {
		return claviger.Secret{}, "", fmt.Errorf("%s: %w", shown(scheme, rest), err)
	}
	b = trimNewline(b)
	if len(b) == 0 {
		return claviger.Secret{}, "", fmt.Errorf("%s: %w", shown(scheme, rest), errEmpty)
	}
	secret := claviger.NewSecret(b)
	return secret, claviger.Version(secret.Fingerprint()), nil
}

// shown is how a reference is named in errors: of a command the program alone.
func shown(scheme, rest string) string {
	if scheme == schemeCommand {
		argv, err := splitCommand(rest)
		if err != nil || len(argv) == 0 {
			return scheme
		}
		rest = argv[0]
	}
	return scheme + ":" + rest
}

// trimNewline takes off the newline that editors and shells leave.
func trimNewline(b []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
}

func (s *Sources) env(name string) ([]byte, error) {
	if v, ok := s.o.Lookup(name); ok {
		return []byte(v), nil
	}
	vars, err := s.vars()
	if err != nil {
		return nil, err
	}
	v, ok := vars[name]
	if !ok {
		return nil, errMissing
	}
	return []byte(v.Value), nil
}

func (s *Sources) readDotenv() (map[string]dotenv.Var, error) {
	if !s.o.Development {
		return nil, nil
	}
	files, err := dotenv.Read(s.o.Dir, dotenv.Names("development"))
	if err != nil {
		return nil, err
	}
	return dotenv.Load(files, s.o.Lookup)
}

func (s *Sources) file(path string) ([]byte, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.o.Dir, path)
	}
	path = filepath.Clean(path)
	s.note(&s.files, path)
	info, err := os.Stat(path)
	if err != nil {
		return nil, plainPathError(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errFile
	}
	if m := info.Mode().Perm(); m&0o077 != 0 {
		s.note(&s.warnings, fmt.Sprintf("the secret file %s is open to other users of this machine (mode %04o): chmod 600 it", path, m))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, plainPathError(err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return nil, plainPathError(err)
	case len(b) > maxSecret:
		return nil, errTooLarge
	}
	return b, nil
}

// plainPathError drops the path, which the reference already names.
func plainPathError(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

func (s *Sources) note(list *[]string, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(*list, text) {
		*list = append(*list, text)
	}
}

// Files lists the files whose change may change a secret: the .env files in
// development, there or not, and every secret file that Get was asked for.
func (s *Sources) Files() []string {
	var out []string
	if s.o.Development {
		for _, name := range dotenv.Names("development") {
			out = append(out, filepath.Join(s.o.Dir, name))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(out, s.files...)
}

// Warnings lists what is unsafe about the files that Get has read.
func (s *Sources) Warnings() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.warnings)
}

// Variables gives the variables that the .env files set, by name, so that other
// settings can be read there too. It is empty outside of development.
func (s *Sources) Variables() (map[string]dotenv.Var, error) { return s.vars() }

// PublicSecrets names the variables, of vars (NAME=value) and of the .env files,
// that would be copied into code for browsers and hold what looks like a key.
// Keys that their makers mean to be public do not count: those of Google's
// browser services, and the JWTs of Supabase.
func (s *Sources) PublicSecrets(vars []string) []string {
	var out []string
	look := func(name, value string) {
		if detect.PublicPrefix(name) != "" && !slices.Contains(out, name) && secretKind(value) {
			out = append(out, name)
		}
	}
	for _, v := range vars {
		name, value, _ := strings.Cut(v, "=")
		look(name, value)
	}
	// Files that cannot be read are told of by Get.
	fromFiles, _ := s.vars()
	for name, v := range fromFiles {
		look(name, v.Value)
	}
	slices.Sort(out)
	return out
}

func secretKind(value string) bool {
	return slices.ContainsFunc(detect.Find(value), func(m detect.Match) bool {
		public := []detect.Kind{detect.Account, detect.Masked, detect.Google, detect.JWT}
		return !slices.Contains(public, m.Kind) && !detect.IsPlaceholder(value[m.Start:m.End])
	})
}

var errCertificate = errors.New("certificate and key are no PEM pair that fits together")

// Certificate reads a certificate chain and its private key, both PEM.
func (s *Sources) Certificate(ctx context.Context, cert, key claviger.Ref) (tls.Certificate, error) {
	c, _, err := s.Get(ctx, cert)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cert: %w", err)
	}
	k, _, err := s.Get(ctx, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("key: %w", err)
	}
	pair, err := tls.X509KeyPair(c.Reveal(seal.ForReveal()), k.Reveal(seal.ForReveal()))
	if err != nil {
		return tls.Certificate{}, errCertificate
	}
	return pair, nil
}
