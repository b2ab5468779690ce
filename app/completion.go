package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCommand struct {
	configFlag
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints a script that completes the names of commands and flags.
func (c completionCommand) Run(env Environment, app *kong.Application) error {
	var script string
	switch c.Shell {
	case "bash":
		script = bashCompletion(app)
	case "zsh":
		script = "#compdef claviger\nautoload -U +X bashcompinit && bashcompinit\n" + bashCompletion(app)
	case "fish":
		script = fishCompletion(app)
	}
	_, err := fmt.Fprint(env.Stdout, script)
	return err
}

// words maps each command, as it is typed, to what may follow it.
func words(n *kong.Node, typed string, visit func(typed string, next []string)) {
	var next []string
	for _, child := range n.Children {
		if child.Type == kong.CommandNode && !child.Hidden {
			next = append(next, child.Name)
		}
	}
	for _, group := range n.AllFlags(true) {
		for _, f := range group {
			next = append(next, "--"+f.Name)
		}
	}
	for _, p := range n.Positional {
		next = append(next, p.EnumSlice()...)
	}
	visit(typed, next)
	for _, child := range n.Children {
		if child.Type == kong.CommandNode {
			words(child, strings.TrimSpace(typed+" "+child.Name), visit)
		}
	}
}

// bashHead collects the words of the command so far, without flags and their
// values. After a flag that takes a value, a file is completed.
const bashHead = `_claviger() {
  local typed=() w value=
  for w in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [[ $w == "=" ]]; then continue; fi
    if [[ $value ]]; then value=; continue; fi
    case "$w" in
      %s) value=1 ;;
      -*) ;;
      *) typed+=("$w") ;;
    esac
  done
  if [[ $value ]]; then COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")); return; fi
  case "${typed[*]}" in
`

// valued lists the flags that take a value, each once.
func valued(n *kong.Node, out []string) []string {
	for _, f := range n.Flags {
		if f.IsBool() {
			continue
		}
		if name := "--" + f.Name; !slices.Contains(out, name) {
			out = append(out, name)
		}
		if short := "-" + string(f.Short); f.Short != 0 && !slices.Contains(out, short) {
			out = append(out, short)
		}
	}
	for _, child := range n.Children {
		out = valued(child, out)
	}
	return out
}

func bashCompletion(app *kong.Application) string {
	var b strings.Builder
	fmt.Fprintf(&b, bashHead, strings.Join(valued(app.Node, nil), "|"))
	words(app.Node, "", func(typed string, next []string) {
		fmt.Fprintf(&b, "    %q) COMPREPLY=($(compgen -W %q -- \"${COMP_WORDS[COMP_CWORD]}\")) ;;\n", typed, strings.Join(next, " "))
	})
	b.WriteString("    *) COMPREPLY=($(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\")) ;;\n  esac\n}\ncomplete -o default -F _claviger claviger\n")
	return b.String()
}

func fishCompletion(app *kong.Application) string {
	var b strings.Builder
	b.WriteString("complete -c claviger -f\n")
	words(app.Node, "", func(typed string, next []string) {
		condition := "__fish_use_subcommand"
		if typed != "" {
			condition = "__fish_seen_subcommand_from " + typed[strings.LastIndexByte(typed, ' ')+1:]
		}
		for _, n := range next {
			if name, flag := strings.CutPrefix(n, "--"); flag {
				fmt.Fprintf(&b, "complete -c claviger -n '%s' -l %s\n", condition, name)
			} else {
				fmt.Fprintf(&b, "complete -c claviger -n '%s' -a %s\n", condition, n)
			}
		}
	})
	return b.String()
}
