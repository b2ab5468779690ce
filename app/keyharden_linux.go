package app

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	llsyscall "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"claviger.dev/claviger/config"
)

// keyProcessHere says that this system can have a key process.
const keyProcessHere = true

// hardenKeyProcess closes this process to others: nobody but root reads its
// memory or environment, nothing is dumped, and no program that it starts gets
// more rights than it has. The last two go on to its children.
func hardenKeyProcess() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_DUMPABLE): %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("setrlimit(RLIMIT_CORE): %w", err)
	}
	if err := llsyscall.AllThreadsPrctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_NO_NEW_PRIVS): %w", err)
	}
	return nil
}

// abiNetwork is the version of landlock from which on it confines connections.
const abiNetwork = 4

// confinement is what landlock does for the key process of a configuration:
// everything that this kernel can of it.
func confinement(cfg *config.Config) string {
	abi, err := llsyscall.LandlockGetABIVersion()
	switch {
	case err != nil || abi < 1:
		return "none: the kernel has no landlock"
	case runsCommands(cfg) && abi < abiNetwork:
		return "none: keys come from commands, and the kernel's landlock knows no network"
	case runsCommands(cfg):
		return "network alone: keys come from commands"
	case abi < abiNetwork:
		return "files alone: the kernel's landlock knows no network"
	}
	return "files and network"
}

func runsCommands(cfg *config.Config) bool {
	if cfg == nil {
		return false
	}
	for _, k := range cfg.Upstream.Keys {
		if strings.HasPrefix(string(k.Ref), "command:") {
			return true
		}
	}
	return false
}

// confineKeyProcess lets this process read what it has to and connect to the
// provider's port and to name servers, as far as the kernel can hold it to that.
// Programs that read keys need what they need, so with them files are open.
func confineKeyProcess(cfg *config.Config, dir string) (string, error) {
	port, err := providerPort(cfg.Upstream.BaseURL)
	if err != nil {
		return "", err
	}
	// Not beyond V5: V6 would keep signals from the gateway's process.
	rules := landlock.V5.BestEffort()
	if err := rules.RestrictNet(landlock.ConnectTCP(port), landlock.ConnectTCP(53)); err != nil {
		return "", err
	}
	if runsCommands(cfg) {
		return confinement(cfg), nil
	}
	// Names are resolved and certificates are checked by files of the system.
	readable := []string{dir, "/etc", "/usr", "/lib", "/lib64", "/nix/store", "/run/systemd/resolve", "/run/resolvconf", "/var/lib/ca-certificates"}
	for _, k := range cfg.Upstream.Keys {
		if path, ok := strings.CutPrefix(string(k.Ref), "file:"); ok {
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			readable = append(readable, filepath.Dir(path))
		}
	}
	const read = landlock.AccessFSSet(llsyscall.AccessFSReadFile | llsyscall.AccessFSReadDir)
	err = rules.RestrictPaths(landlock.PathAccess(read, readable...).IgnoreIfMissing())
	return confinement(cfg), err
}

func providerPort(base string) (uint16, error) {
	u, err := url.Parse(base)
	if err != nil {
		return 0, err
	}
	switch {
	case u.Port() != "":
		n, err := strconv.ParseUint(u.Port(), 10, 16)
		return uint16(n), err
	case u.Scheme == "http":
		return 80, nil
	}
	return 443, nil
}
