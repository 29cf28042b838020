#include "experiments/manual/shell_scripts.h"

namespace experiments {

namespace {

constexpr const char* kBash = R"(# Completion of mlocksim for bash. The program itself says what could stand there.
_mlocksim() {
  local line=${COMP_LINE:0:COMP_POINT} breaks=${COMP_WORDBREAKS//[^=:]/} candidate current typed=
  local -a words
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  current=${words[-1]}
  # Bash takes what stands behind one of these for a word of its own.
  [[ $breaks ]] && typed=${current%"${current##*[$breaks]}"}
  COMPREPLY=()
  while IFS=$'\t' read -r candidate _; do
    case $candidate in
      :files)
        compopt -o filenames
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "${current#"$typed"}")
        ;;
      :folders)
        compopt -o filenames
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "${current#"$typed"}")
        ;;
      *)
        [[ $candidate == *[.=,] ]] && compopt -o nospace
        COMPREPLY+=("${candidate#"$typed"}")
        ;;
    esac
  done < <("${words[0]}" complete "${words[@]:1}" 2>/dev/null)
}
complete -F _mlocksim mlocksim
)";

constexpr const char* kZsh = R"(#compdef mlocksim
# Completion of mlocksim for zsh. The program itself says what could stand there.
local line candidate
local -a open open_shown whole whole_shown
for line in "${(@f)$(_call_program mlocksim mlocksim complete "${(@q)words[2,CURRENT]}")}"; do
  candidate=${line%%$'\t'*}
  line=${line%$'\t'}  # nothing is said of it
  case $candidate in
    '') ;;
    :files) _files ;;
    :folders) _files -/ ;;
    *[.=,]) open+=("$candidate"); open_shown+=("${line/$'\t'/  -- }") ;;
    *) whole+=("$candidate"); whole_shown+=("${line/$'\t'/  -- }") ;;
  esac
done
(( $#open )) && compadd -l -S '' -d open_shown -a open
(( $#whole )) && compadd -l -d whole_shown -a whole
)";

constexpr const char* kFish = R"(# Completion of mlocksim for fish. The program itself says what could stand there.
function __mlocksim_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in (mlocksim complete $words[2..-1] 2>/dev/null)
        switch $line
            case ':files*'
                __fish_complete_path (commandline -ct)
            case ':folders*'
                __fish_complete_directories (commandline -ct)
            case '*'
                echo $line
        end
    end
end
complete -c mlocksim -f -a '(__mlocksim_complete)'
)";

}  // namespace

std::vector<ShellScript> shell_scripts(const std::filesystem::path& share) {
  const bool of_a_package = share == "/usr/share";
  return {{"bash-completion/completions/mlocksim", kBash},
          {of_a_package ? "zsh/vendor-completions/_mlocksim" : "zsh/site-functions/_mlocksim", kZsh},
          {"fish/vendor_completions.d/mlocksim.fish", kFish}};
}

}  // namespace experiments
