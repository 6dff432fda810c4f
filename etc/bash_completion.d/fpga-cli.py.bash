# SPDX-License-Identifier: Apache-2.0
# bash completion for fpga-cli.py.  Made by build_scripts/cli_files.py; do not change it by hand.

_fpga_cli()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb="" i

    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$verb ${COMP_WORDS[i]}" in
            " burn") verb="burn" ;;
            " replace") verb="replace" ;;
            " hold") verb="hold" ;;
            " disconnect") verb="disconnect" ;;
            " erase") verb="erase" ;;
            " status") verb="status" ;;
            " describe") verb="describe" ;;
            " events") verb="events" ;;
            " reconcile") verb="reconcile" ;;
            " quarantine") verb="quarantine" ;;
            " release") verb="release" ;;
            " prepare") verb="prepare" ;;
            " serve") verb="serve" ;;
            " image") verb="image" ;;
            "image validate") verb="image validate" ;;
            "image build") verb="image build" ;;
            "image create") verb="image create" ;;
        esac
    done

    case "$verb $before" in
        " --config-file") compopt -o filenames; COMPREPLY=($(compgen -f -- "$word")); return ;;
        "burn --file") compopt -o filenames; COMPREPLY=($(compgen -f -- "$word")); return ;;
        "burn --owner") COMPREPLY=(); return ;;
        "burn --number") COMPREPLY=($(compgen -W "1 2 3 4 5 6" -- "$word")); return ;;
        "burn --device") COMPREPLY=(); return ;;
        "replace --file") compopt -o filenames; COMPREPLY=($(compgen -f -- "$word")); return ;;
        "replace --owner") COMPREPLY=(); return ;;
        "replace --format") COMPREPLY=($(compgen -W "text json" -- "$word")); return ;;
        "hold --owner") COMPREPLY=(); return ;;
        "hold --device") COMPREPLY=(); return ;;
        "hold --board") COMPREPLY=(); return ;;
        "disconnect --owner") COMPREPLY=(); return ;;
        "erase --owner") COMPREPLY=(); return ;;
        "status --format") COMPREPLY=($(compgen -W "text json" -- "$word")); return ;;
        "describe --format") COMPREPLY=($(compgen -W "text json" -- "$word")); return ;;
        "events --last") COMPREPLY=(); return ;;
        "events --format") COMPREPLY=($(compgen -W "text json" -- "$word")); return ;;
        "reconcile --format") COMPREPLY=($(compgen -W "text json" -- "$word")); return ;;
        "quarantine --reason") COMPREPLY=(); return ;;
        "image build --bitfile") compopt -o filenames; COMPREPLY=($(compgen -f -- "$word")); return ;;
        "image build --output") compopt -o filenames; COMPREPLY=($(compgen -f -- "$word")); return ;;
        "image build --manifest") compopt -o filenames; COMPREPLY=($(compgen -f -- "$word")); return ;;
        "image build --sign") compopt -o filenames; COMPREPLY=($(compgen -f -- "$word")); return ;;
        "image build --name") COMPREPLY=(); return ;;
        "image build --version") COMPREPLY=(); return ;;
        "image build --vendor") COMPREPLY=(); return ;;
        "image build --type") COMPREPLY=(); return ;;
        "image build --description") COMPREPLY=(); return ;;
        "image build --function") COMPREPLY=(); return ;;
        "image build --board") COMPREPLY=(); return ;;
        "image build --part") COMPREPLY=(); return ;;
        "image build --interface") COMPREPLY=(); return ;;
        "image build --node") COMPREPLY=(); return ;;
        "image create --name") COMPREPLY=(); return ;;
        "image create --visibility") COMPREPLY=($(compgen -W "private shared community public" -- "$word")); return ;;
    esac

    case "$verb" in
        "") COMPREPLY=($(compgen -W "-h --help --version --config-file --debug burn replace hold disconnect erase status describe events reconcile quarantine release prepare serve image" -- "$word")) ;;
        "burn") COMPREPLY=($(compgen -W "-h --help --file --owner --number --device --dry-run" -- "$word")) ;;
        "replace") COMPREPLY=($(compgen -W "-h --help --file --owner --same-nodes --format" -- "$word")) ;;
        "hold") COMPREPLY=($(compgen -W "-h --help --owner --device --board" -- "$word")) ;;
        "disconnect") COMPREPLY=($(compgen -W "-h --help --owner" -- "$word")) ;;
        "erase") COMPREPLY=($(compgen -W "-h --help --owner" -- "$word")) ;;
        "status") COMPREPLY=($(compgen -W "-h --help --format" -- "$word")) ;;
        "describe") COMPREPLY=($(compgen -W "-h --help --format" -- "$word")) ;;
        "events") COMPREPLY=($(compgen -W "-h --help --last --format" -- "$word")) ;;
        "reconcile") COMPREPLY=($(compgen -W "-h --help --fix --format" -- "$word")) ;;
        "quarantine") COMPREPLY=($(compgen -W "-h --help --reason" -- "$word")) ;;
        "release") COMPREPLY=($(compgen -W "-h --help" -- "$word")) ;;
        "prepare") COMPREPLY=($(compgen -W "-h --help" -- "$word")) ;;
        "serve") COMPREPLY=($(compgen -W "-h --help" -- "$word")) ;;
        "image") COMPREPLY=($(compgen -W "-h --help validate build create" -- "$word")) ;;
        "image validate") compopt -o filenames; COMPREPLY=($(compgen -f -- "$word")); [[ $word != -* ]] || COMPREPLY=($(compgen -W "-h --help" -- "$word")) ;;
        "image build") COMPREPLY=($(compgen -W "-h --help --bitfile --output --manifest --sign --name --version --vendor --type --description --function --board --part --interface --node" -- "$word")) ;;
        "image create") compopt -o filenames; COMPREPLY=($(compgen -f -- "$word")); [[ $word != -* ]] || COMPREPLY=($(compgen -W "-h --help --name --visibility" -- "$word")) ;;
    esac
}

complete -F _fpga_cli fpga-cli.py
