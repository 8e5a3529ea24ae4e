#include "core/export/RoutingChoices.h"
#include "core/export/Csv.h"
#include "core/route/RoutingRecord.h"

namespace fovea {

std::string_view routingChoicesHeader() {
    return "layer,head,query,token,role,reason,signal,score,threshold,rank,budget,head_group\n";
}

std::string routingChoicesCsv(const LayerRouting& routing, const ModelShape& shape) {
    std::string csv;
    forEachChoice(routing, shape, [&](const RoutingChoice& choice) {
        const std::string rest =
            ',' + std::to_string(choice.query) + ',' + std::to_string(choice.token) + ',' +
            std::string(roleName(choice.role)) + ",routed," + csvText(choice.signal) + ',' +
            csvNumber(choice.score) + ',' + csvNumber(choice.threshold) + ',' +
            (choice.rank > 0 ? std::to_string(choice.rank) : "") + ',' + std::to_string(choice.budget) + ',' +
            (choice.headGroup >= 0 ? std::to_string(choice.headGroup) : "") + '\n';
        const int heads = choice.headGroup >= 0 ? shape.headsPerKv() : 1;
        for (int head = choice.head; head < choice.head + heads; ++head)
            csv += std::to_string(choice.layer) + ',' + std::to_string(head) + rest;
    });
    return csv;
}

} // namespace fovea
