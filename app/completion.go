package app

import (
	"fmt"
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

func bashCompletion(app *kong.Application) string {
	var b strings.Builder
	b.WriteString("_claviger() {\n  local typed=() w\n  for w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do [[ $w == -* ]] || typed+=(\"$w\"); done\n  case \"${typed[*]}\" in\n")
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
